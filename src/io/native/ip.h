/* ip.h — numbers of inner packets' headers. Source: RFC 791; RFC 8200; RFC 9293; RFC 768. */
#ifndef P2PVPN_IP_H
#define P2PVPN_IP_H

#define IPV4_BYTES 20u /* without options */
#define IPV4_DF 0x4000u
#define IPV4_MF 0x2000u
#define IPV4_OFFSET 0x1fffu
#define IPV6_BYTES 40u

#define PROTOCOL_ICMP 1u
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u
#define PROTOCOL_FRAGMENT 44u
#define PROTOCOL_ICMP6 58u

#define TCP_HEADER_BYTES 20u /* without options */
#define TCP_FLAGS_AT 13u
#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u
#define TCP_CWR 0x80u
#define UDP_HEADER_BYTES 8u

#endif
