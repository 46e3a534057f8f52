"""Race to the given addresses (in this order) with trio's own connector; prints winner and seconds.

The winner sends a line with its name, then an echo of what it gets.
"""
import argparse

import trio

from common import base_args, check, digest, ip_family, pattern, receive_all, receive_line, run, send_chunked


class Resolver(trio.abc.HostnameResolver):
    def __init__(self, hosts):
        self.hosts = hosts

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
        s = trio.socket
        return [
            (s.AF_INET6, s.SOCK_STREAM, s.IPPROTO_TCP, "", (h, port, 0, 0)) if ip_family(h) == 6
            else (s.AF_INET, s.SOCK_STREAM, s.IPPROTO_TCP, "", (h, port))
            for h in self.hosts
        ]

    async def getnameinfo(self, sockaddr, flags):
        raise NotImplementedError


async def main_(args):
    trio.socket.set_custom_hostname_resolver(Resolver(args.hosts.split(",")))
    start = trio.current_time()
    try:
        stream = await trio.open_tcp_stream("test.example.com", args.port, happy_eyeballs_delay=args.delay, local_address=args.local_address)
    except OSError as exc:
        check(args.expect == "error", f"unexpected failure: {exc}")
        return {"error": None, "message": str(exc), "attempts": len(exc.__cause__.exceptions), "seconds": round(trio.current_time() - start, 3)}
    seconds = round(trio.current_time() - start, 3)
    winner = (await receive_line(stream)).decode().strip()
    data, got = pattern(args.seed, args.bytes), b""
    async with trio.open_nursery() as nursery:

        async def sender():
            await send_chunked(stream, data, 16384)
            await stream.send_eof()

        nursery.start_soon(sender)
        got = await receive_all(stream, limit=len(data))
    await stream.aclose()
    check(not args.expect or winner == args.expect, f"winner is {winner}")
    check(got == data, "data came back changed")
    return {"winner": winner, "seconds": seconds, **digest(got)}


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--hosts", required=True)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--delay", type=float, default=0.25)
parser.add_argument("--local-address")
parser.add_argument("--bytes", type=int, default=0)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--expect", help="address of the winner, or 'error'")
args = base_args(parser).parse_args()
run(main_, args)
