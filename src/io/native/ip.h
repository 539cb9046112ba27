/* ip.h — what C alone uses of inner packets' headers. Source: RFC 791; 8200; 9293; 768. */
#ifndef P2PVPN_IP_H
#define P2PVPN_IP_H

#include "layout.gen.h"

#define IPV4_BYTES 20u /* without options */
#define IPV4_DF 0x4000u
#define IPV4_MF 0x2000u
#define IPV4_OFFSET 0x1fffu
#define IPV6_BYTES 40u

#define TCP_HEADER_BYTES 20u /* without options */
#define TCP_FLAGS_AT 13u
#define TCP_FIN 0x01u
#define TCP_SYN 0x02u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u
#define TCP_CWR 0x80u
#define UDP_HEADER_BYTES 8u

#endif
