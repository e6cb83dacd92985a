"""Calls for tests of what is read of them: written as the product writes them, row and sums together."""

from datetime import datetime
from itertools import count
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.metering.entities import UsageEvent
from tollway.metering.usage_operations import record_usage

UPLOAD = "/monte-carlo-api/models"
RUN = "/monte-carlo-api/simulations"
_numbers = count(1)


async def log_call(database: Database, customer_id: int, at: datetime, **changed: Any) -> UsageEvent:
    """Write one call of a customer, a successful one that counts 1 unless it is changed."""
    event = UsageEvent(
        **(
            {
                "customer_id": customer_id,
                "api_key_id": None,
                "product": "montecarlo",
                "mode": Mode.TEST,
                "endpoint": RUN,
                "method": "POST",
                "status_code": 201,
                "response_time_ms": 12,
                "credits_consumed": 2,
                "units": 1,
                "request_timestamp": at,
                "ip_address": "192.0.2.7",
                "user_agent": "curl/8",
                "request_id": f"req_test{next(_numbers):06d}",
                "problem_code": None,
            }
            | changed
        )
    )
    async with database.transaction() as tx:
        await record_usage(tx, event)
    return event


async def log_refusal(database: Database, customer_id: int, at: datetime, **changed: Any) -> UsageEvent:
    """Write one call that the quota refused."""
    refused = {
        "status_code": 429,
        "units": 0,
        "credits_consumed": 0,
        "problem_code": "quota-used-up",
        "limit_name": "requests_per_period",
        "limit_value": 100,
    }
    return await log_call(database, customer_id, at, **(refused | changed))
