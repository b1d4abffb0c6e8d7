-- For wrk: each request is that of another visitor. Argument: a file with a Cookie field per line.
local requests = {}
local last = 0

function init(args)
    for line in io.lines(args[1]) do
        requests[#requests + 1] = wrk.format("GET", "/", { ["Cookie"] = line })
    end
    -- Not in the order in which their sessions were made, which the processor would foresee.
    for i = #requests, 2, -1 do
        local j = math.random(i)
        requests[i], requests[j] = requests[j], requests[i]
    end
end

function request()
    last = last % #requests + 1
    return requests[last]
end
