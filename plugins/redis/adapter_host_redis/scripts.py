"""The Lua scripts of changes that depend on the current value: the server runs each as one step.

Integers beyond 2^53 are returned as text, as numbers of Lua are floats. Times are those of the server.
"""

from __future__ import annotations

from typing import Final

COMPARE_AND_SET: Final = """
local current = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
    if current ~= ARGV[2] then return 0 end
elseif current then
    return 0
end
if ARGV[3] == '0' then
    redis.call('DEL', KEYS[1])
elseif ARGV[5] == '' then
    redis.call('SET', KEYS[1], ARGV[4])
else
    redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
return 1
"""

INCREMENT: Final = """
local existed = redis.call('EXISTS', KEYS[1])
redis.call('INCRBY', KEYS[1], ARGV[1])
if existed == 0 and ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
"""

GCRA: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, calls = tonumber(ARGV[1]), tonumber(ARGV[2])
local arrival = math.max(now, tonumber(redis.call('GET', KEYS[1]) or now))
local ahead = arrival + interval - now - calls * interval
if ahead > 1 then return {0, string.format('%.0f', math.ceil(ahead)), 0} end
local following = arrival + interval
redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', math.max(1, math.ceil((following - now) / 1000)))
return {1, '0', math.max(0, math.floor(-ahead / interval + 0.000001))}
"""

ACQUIRE: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local token = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
return token
"""
"""Tokens are at least the time in microseconds, so they grow even if the server loses its data."""

LEASE: Final = """
local time = redis.call('TIME')
local now, ttl = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ttl, ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.max(ttl, redis.call('PTTL', KEYS[1])))
return 1
"""

RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
