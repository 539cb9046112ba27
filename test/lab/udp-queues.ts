/**
 * udp-queues — what the kernel says of the UDP sockets in a process's network namespace.
 *
 * Source: proc(5), /proc/PID/net/udp: `tx_queue:rx_queue` in hexadecimal bytes; the last column is
 * the datagrams that the socket dropped. /proc/PID/net/snmp and snmp6: RFC 4113.
 */
import { readFileSync } from "node:fs";

/** Of all sockets bound to one port. */
export interface UdpQueues {
  /** Memory of what waits to be received; includes the kernel's own overhead. */
  readonly bytes: number;
  /** Since each socket was opened. */
  readonly dropped: number;
}

/** One socket. */
export interface UdpSocket extends UdpQueues {
  /** It takes datagrams of one address alone. */
  readonly connected: boolean;
}

/** Sockets bound to one port. Errors: ENOENT when the process is gone. */
export const udpSockets = (pid: number, port: number): UdpSocket[] => {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const sockets: UdpSocket[] = [];
  for (const file of ["udp", "udp6"]) {
    for (const line of readFileSync(`/proc/${pid}/net/${file}`, "utf8").split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (!columns[1]?.endsWith(suffix)) continue;
      sockets.push({
        bytes: Number.parseInt(columns[4]!.split(":")[1]!, 16),
        dropped: Number(columns.at(-1)),
        connected: !/^0+:0000$/.test(columns[2]!),
      });
    }
  }
  return sockets;
};

/** Errors: ENOENT when the process is gone. */
export const udpQueues = (pid: number, port: number): UdpQueues => {
  const sockets = udpSockets(pid, port);
  return {
    bytes: sockets.reduce((sum, socket) => sum + socket.bytes, 0),
    dropped: sockets.reduce((sum, socket) => sum + socket.dropped, 0),
  };
};

/** Messages that sockets of the namespace were given, and that they had no room for. */
export interface UdpTotals {
  readonly received: number;
  readonly noRoom: number;
  /** Wrong checksums, and ports where nobody listens. */
  readonly refused: number;
}

export const udpTotals = (pid: number): UdpTotals => {
  const four = readFileSync(`/proc/${pid}/net/snmp`, "utf8").split("\n");
  const [names, values] = four
    .filter((line) => line.startsWith("Udp: "))
    .map((line) => line.split(" "));
  const six = readFileSync(`/proc/${pid}/net/snmp6`, "utf8");
  const of = (name: string): number =>
    Number(values?.[names?.indexOf(name) ?? -1] ?? 0) +
    Number(new RegExp(`^Udp6${name}\\s+(\\d+)`, "m").exec(six)?.[1] ?? 0);
  return {
    received: of("InDatagrams"),
    noRoom: of("RcvbufErrors"),
    refused: of("InCsumErrors") + of("NoPorts"),
  };
};
