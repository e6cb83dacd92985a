-- One call against a limit: KEYS[1] the bucket, ARGV[1] microseconds a unit, ARGV[2] microseconds of burst.
-- Returns 1 where the call may pass.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + tonumber(ARGV[1])
if full_at - now > tonumber(ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[1], string.format('%.3f', full_at), 'PX', math.ceil(ARGV[2] / 1000))
return 1
