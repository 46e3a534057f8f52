"""Real TCP targets for connection racing on loopback, all on one port.

--hosts 127.0.0.2=blackhole,127.0.0.3=refuse,127.0.0.4=accept,::1=accept
 accept    accepts, sends its own address and a newline, then EOF
 rst       accepts the TCP connection, then resets it
 refuse    nobody listens: connecting fails at once
 blackhole listens with a full queue: connecting hangs (SYNs are dropped)
"""
import argparse
import socket
import struct

import trio

from common import base_args, check, emit, ip_family, run


async def main_(args):
    hosts = dict(item.split("=") for item in args.hosts.split(","))
    listening = {h: k for h, k in hosts.items() if k != "refuse"}
    for _ in range(50):  # one port that is free on every address
        socks, keep, port = {}, [], args.port
        try:
            for host in listening:
                sock = trio.socket.socket(trio.socket.AF_INET6 if ip_family(host) == 6 else trio.socket.AF_INET)
                keep.append(sock)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                await sock.bind((host, port))
                port = sock.getsockname()[1]
                sock.listen(0 if listening[host] == "blackhole" else 100)
                socks[host] = sock
            break
        except OSError:
            for sock in keep:
                sock.close()
    check(len(socks) == len(listening), "no common port found")
    fillers = []
    for host, sock in socks.items():
        if listening[host] == "blackhole":
            for _ in range(4):  # fill the accept queue; the kernel then drops further SYNs
                filler = trio.socket.socket(sock.family)
                fillers.append(filler)
                with trio.move_on_after(0.15):
                    await filler.connect((host, port))
    accepted = []
    emit("ready", port=port or args.port, hosts=hosts)
    async with trio.open_nursery() as nursery:

        async def serve(host, sock):
            while True:
                conn, peer = await sock.accept()
                accepted.append(host)
                emit("accepted", host=host, peer=list(peer[:2]))
                if listening[host] == "rst":
                    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    conn.close()
                    continue
                stream = trio.SocketStream(conn)

                async def watch(stream=stream, host=host):
                    try:
                        await stream.send_all(host.encode() + b"\n")
                        await stream.send_eof()
                        async for _ in stream:
                            pass
                        emit("closed", host=host, how="eof")
                    except trio.BrokenResourceError:  # one that lost the race can be gone before it hears anything
                        emit("closed", host=host, how="reset")
                    await stream.aclose()
                    if args.once:
                        nursery.cancel_scope.cancel()

                nursery.start_soon(watch)

        for host, sock in socks.items():
            if listening[host] != "blackhole":
                nursery.start_soon(serve, host, sock)
        await trio.sleep_forever()
    return {"accepted": accepted}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--hosts", required=True)
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--once", action="store_true", help="exit after the first connection was used and closed")
args = base_args(parser).parse_args()
run(main_, args, timeout_is_ok=not args.once)
