-- The centre of rate limits in Redis: every question and every answer of it, in one script.
--
-- KEYS[1] is one hash with everything in it, so that it is there as a whole or gone as a whole: no eviction, deletion or
-- FLUSHALL can refill one bucket and leave the rest. Its fields:
--   #epoch #run      which state this is, and in which run of the server it was begun; another run may have lost some
--   #clock #wall     the centre's clock in microseconds, and the server's clock when it was last moved
--   #begun           the moment from which buckets begin empty; -1 where they begin full
--   r<key>           a debt: 'debt at seconds count'
--   h<key>           what runs at once: a map of slots to when each ends, packed
--
-- ARGV of a question: 'ask', run, epoch, seconds of a slot, then each question by its name and values.
-- ARGV of a beginning: 'begin', run, epoch, the epoch it replaces (''  for none), '1' where buckets begin full.
-- The answer is {1, answers...}, or {0, the epoch that stands here} where epoch or run are others.

local state = KEYS[1]
local SECOND = 1000000
-- Workers tick twice a second. A longer step is no time that passed but a clock that was set, or time when nobody was
-- there; neither may give anybody anything.
local STEP_MAX = 2 * SECOND

local function whole(number)
    return string.format('%.0f', number)
end

local time = redis.call('TIME')
local wall = tonumber(time[1]) * SECOND + tonumber(time[2])
local meta = redis.call('HMGET', state, '#epoch', '#run', '#clock', '#wall', '#begun')

if ARGV[1] == 'begin' then
    if (meta[1] or '') ~= ARGV[4] then
        return {0, meta[1] or ''}
    end
    redis.call('DEL', state)
    redis.call('HSET', state, '#epoch', ARGV[3], '#run', ARGV[2], '#clock', '0', '#wall', whole(wall),
        '#begun', ARGV[5] == '1' and '-1' or '0')
    return {1}
end

if meta[2] ~= ARGV[2] or meta[1] ~= ARGV[3] then
    return {0, meta[1] or ''}
end

local clock = tonumber(meta[3])
local begun = tonumber(meta[5])
local step = wall - tonumber(meta[4])
if step > 0 and step <= STEP_MAX then
    clock = clock + step
end
redis.call('HSET', state, '#clock', whole(clock), '#wall', whole(wall))

local slot_us = tonumber(ARGV[4]) * SECOND

local function drained(debt, count, seconds, of_seconds, elapsed)
    if of_seconds ~= seconds then
        debt = math.ceil(debt * seconds / of_seconds)
    end
    return math.max(0, math.min(debt, count * seconds * SECOND) - math.max(0, elapsed) * count)
end

local function debt_of(key, count, seconds)
    local kept = redis.call('HGET', state, 'r' .. key)
    if kept then
        local debt, at, of_seconds = string.match(kept, '^(%d+) (%d+) (%d+) ')
        return drained(tonumber(debt), count, seconds, tonumber(of_seconds), clock - tonumber(at))
    end
    if begun < 0 then
        return 0
    end
    return drained(count * seconds * SECOND, count, seconds, seconds, clock - begun)
end

local function keep_debt(key, debt, count, seconds)
    redis.call('HSET', state, 'r' .. key,
        whole(debt) .. ' ' .. whole(clock) .. ' ' .. whole(seconds) .. ' ' .. whole(count))
end

local function running(key)
    local packed = redis.call('HGET', state, 'h' .. key)
    local slots, count = {}, 0
    if packed then
        for slot, ends in pairs(cmsgpack.unpack(packed)) do
            if ends > clock then
                slots[slot] = ends
                count = count + 1
            end
        end
    end
    return slots, count
end

local function keep_running(key, slots)
    if next(slots) == nil then
        redis.call('HDEL', state, 'h' .. key)
    else
        redis.call('HSET', state, 'h' .. key, cmsgpack.pack(slots))
    end
end

local questions = {}

function questions.lease(key, count, seconds, burst, wanted, needed)
    count, seconds, burst = tonumber(count), tonumber(seconds), tonumber(burst)
    wanted, needed = tonumber(wanted), tonumber(needed)
    local unit = seconds * SECOND
    local debt = debt_of(key, count, seconds)
    local free = math.floor((burst * unit - debt) / unit)
    local units, wait = 0, 0
    if free >= needed then
        units = math.min(wanted, free)
        debt = debt + units * unit
        keep_debt(key, debt, count, seconds)
    end
    if units < wanted then
        wait = math.max(0, math.ceil((debt + needed * unit - burst * unit) / count))
    end
    return {units, math.max(0, math.floor((count * unit - debt) / unit)), wait}
end

function questions.give_back(key, count, seconds, units)
    count, seconds = tonumber(count), tonumber(seconds)
    local debt = debt_of(key, count, seconds) - tonumber(units) * seconds * SECOND
    keep_debt(key, math.max(0, debt), count, seconds)
    return {}
end

function questions.hold(key, slot, at_once_max)
    local slots, count = running(key)
    -- After a loss nobody knows what runs until all workers have said so.
    local is_learning = begun >= 0 and clock - begun < slot_us
    if not slots[slot] and count >= tonumber(at_once_max) then
        return {0}
    end
    if not slots[slot] and is_learning then
        return {0, slot_us - (clock - begun)}
    end
    slots[slot] = clock + slot_us
    keep_running(key, slots)
    return {1}
end

function questions.renew(key, slot)
    local slots = running(key)
    slots[slot] = clock + slot_us
    keep_running(key, slots)
    return {1}
end

function questions.release(key, slot)
    local slots = running(key)
    slots[slot] = nil
    keep_running(key, slots)
    return {}
end

-- Forget what says nothing any more, some fields at a time.
function questions.sweep(cursor, count)
    local found = redis.call('HSCAN', state, cursor, 'COUNT', count)
    for i = 1, #found[2], 2 do
        local field, value = found[2][i], found[2][i + 1]
        local kind = string.sub(field, 1, 1)
        if kind == 'r' then
            local debt, at, seconds, limit = string.match(value, '^(%d+) (%d+) (%d+) (%d+)$')
            local is_full = tonumber(debt) <= (clock - tonumber(at)) * tonumber(limit)
            if is_full and (begun < 0 or clock - begun >= tonumber(seconds) * SECOND) then
                redis.call('HDEL', state, field)
            end
        elseif kind == 'h' then
            keep_running(string.sub(field, 2), (running(string.sub(field, 2))))
        end
    end
    return {tonumber(found[1])}
end

local VALUES = {lease = 6, give_back = 4, hold = 3, renew = 2, release = 2, sweep = 2}
local answers = {1}
local i = 5
while i <= #ARGV do
    local kind = ARGV[i]
    local count = VALUES[kind]
    answers[#answers + 1] = questions[kind](unpack(ARGV, i + 1, i + count))
    i = i + 1 + count
end
return answers
