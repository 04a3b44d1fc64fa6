--[[
Count the uploaded chunks of one upload.

KEYS[1]  head of the upload
KEYS[2]  bitmap of uploaded chunks

Returns  {0, 0} when nothing is known, else {1, count}
]]
return {redis.call('EXISTS', KEYS[1]), redis.call('BITCOUNT', KEYS[2])}
