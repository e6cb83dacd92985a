"""The first calls of a new customer, ready to paste: with their own test key, against this installation."""


def first_calls(base_url: str, api_key: str) -> list[tuple[str, str, str]]:
    """Return samples as (label, language, source)."""
    curl = f'curl {base_url}/monte-carlo-api/models \\\n  -H "Authorization: Bearer {api_key}"'
    python = f"""import json, urllib.request

request = urllib.request.Request(
    "{base_url}/monte-carlo-api/models",
    headers={{"Authorization": "Bearer {api_key}"}},
)
print(json.load(urllib.request.urlopen(request)))"""
    return [("curl", "bash", curl), ("Python", "python", python)]
