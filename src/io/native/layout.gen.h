/* Made from src/memory/layout.ts and numbers.ts by `npm run generate`; do not edit. */
#ifndef P2PVPN_LAYOUT_GEN_H
#define P2PVPN_LAYOUT_GEN_H

#define READY_WAKE 1
#define READY_TUN 2
#define READY_UDP 4
#define READY_TUN_GONE 8

#define TUN_SEGMENTS 255
#define TUN_DRAINED 256

#define RECEIVE_RUNS 255
#define RECEIVE_MORE 256

#define ACCEPT_PACKETS 255
#define ACCEPT_AUTHENTIC 256
#define ACCEPT_ROAMED 512

#define LONE_READ_SHIFT 8
#define LONE_READ_MASK 4095
#define LONE_RUNS_SHIFT 20

#define UDP_TAKES_SEGMENT 1
#define UDP_TAKES_GRO 2

#define DATA_HEADER_BYTES 16u
#define TAG_BYTES 16u
#define SEGMENT_OVERHEAD_BYTES 32u
#define PADDING_BYTES 16u
#define SLOT_BYTES 73728u
#define JOB_SEGMENTS 64u
#define JOB_BYTES 65340u
#define RING_JOBS 128u
#define REPLAY_BITS 8192u
#define FRAME_BYTES 1236u
#define FRAME_HEADER_BYTES 4u
#define FRAME_BODY_BYTES 1232u
#define ARRIVALS_PER_IO 256u
#define HOST_ADDRESSES 1024u
#define GROUP_PEERS 8u
#define COUNTERS_PER_THREAD 128u

#define SUITE_CHACHA20POLY1305 0u
#define SUITE_AES256GCM 1u

#define DROP_TUN_INVALID 0u
#define DROP_NO_ROUTE 1u
#define DROP_LINK_ONLY 2u
#define DROP_OWN_DATAGRAM 3u
#define DROP_TOO_BIG 4u
#define DROP_NO_ENDPOINT 5u
#define DROP_STAGED_FULL 6u
#define DROP_STAGED_EXPIRED 7u
#define DROP_STANDING_QUEUE 8u
#define DROP_NONCE_EXHAUSTED 9u
#define DROP_SEND_REFUSED 10u
#define DROP_SEND_FULL 11u
#define DROP_TOO_SHORT 12u
#define DROP_BAD_TYPE 13u
#define DROP_OWN_TUNNEL 14u
#define DROP_UNKNOWN_INDEX 15u
#define DROP_SUITE_REFUSED 16u
#define DROP_WRONG_SUITE 17u
#define DROP_WRONG_THREAD 18u
#define DROP_SESSION_EXPIRED 19u
#define DROP_OPEN_FAILED 20u
#define DROP_REPLAYED 21u
#define DROP_INNER_INVALID 22u
#define DROP_INNER_SOURCE 23u
#define DROP_ECN_NOT_CAPABLE 24u
#define DROP_CONTROL_FRAME 25u
#define DROP_FRAME_INVALID 26u
#define DROP_FRAME_RATE 27u
#define DROP_FRAME_FULL 28u
#define DROP_FRAME_MEMBERS 29u
#define DROP_FRAME_UNEXPECTED 30u
#define DROP_FRAME_UNSENT 31u
#define DROP_TUN_REFUSED 32u
#define DROP_WORKER_DIED 33u
#define DROP_STALE_JOB 34u
#define DROP_NO_SLOT 35u
#define DROP_NO_KEY 36u
#define DROP_MAC_INVALID 37u
#define DROP_HANDSHAKE_INVALID 38u
#define DROP_HANDSHAKE_UNKNOWN_PEER 39u
#define DROP_HANDSHAKE_REPLAYED 40u
#define DROP_HANDSHAKE_RATE 41u
#define DROP_COOKIE_UNEXPECTED 42u
#define DROP_COOKIE_ASKED 43u
#define DROP_HANDSHAKE_UNVERIFIED 44u
#define DROP_COOKIE_NEIGHBOUR 45u
#define DROP_HANDSHAKE_VERIFIED 46u
#define DROP_HANDSHAKE_SOURCE 47u
#define DROP_NO_INDEX 48u
#define DROP_QUEUE_FULL 49u

#define COUNT_LOOPS 50u
#define COUNT_TUN_READS 51u
#define COUNT_TUN_PACKETS 52u
#define COUNT_TUN_BYTES 53u
#define COUNT_TUN_WRITES 54u
#define COUNT_TUN_WRITTEN_PACKETS 55u
#define COUNT_TUN_WRITTEN_BYTES 56u
#define COUNT_SENDS 57u
#define COUNT_SENT_DATAGRAMS 58u
#define COUNT_SENT_BYTES 59u
#define COUNT_RECEIVES 60u
#define COUNT_RECEIVED_DATAGRAMS 61u
#define COUNT_RECEIVED_BYTES 62u
#define COUNT_KEEPALIVES_RECEIVED 63u
#define COUNT_PASSED_ON 64u
#define COUNT_FRAMES_PASSED 65u
#define COUNT_FRAMES_TAKEN 66u
#define COUNT_FRAMES_SENT 67u
#define COUNT_HELLOS_TAKEN 68u
#define COUNT_PROBES_TAKEN 69u
#define COUNT_ANSWERS_TAKEN 70u
#define COUNT_PATH_MTU_CHANGES 71u
#define COUNT_JOBS_INLINE 72u
#define COUNT_JOBS_HANDED_OVER 73u
#define COUNT_WORKER_WAKES 74u
#define COUNT_KEEPALIVES 75u
#define COUNT_UNSEGMENTED_RESENDS 76u
#define COUNT_UNMERGED_REWRITES 77u
#define COUNT_CONNECTED 78u
#define COUNT_CONNECT_REFUSED 79u
#define COUNT_CONNECTED_SENDS 80u
#define COUNT_CONNECTED_RECEIVES 81u
#define COUNT_CONNECTED_ERRORS 82u
#define COUNT_LOCAL_REFUSED 83u
#define COUNT_ECN_MARKED 84u
#define COUNT_STANDING_MARKED 85u
#define COUNT_TOO_BIG_TOLD 86u
#define COUNT_FRAGMENTED 87u
#define COUNT_MSS_CLAMPED 88u
#define COUNT_HANDSHAKES_INITIATED 89u
#define COUNT_RESPONSES_TAKEN 90u
#define COUNT_HANDSHAKES_ANSWERED 91u
#define COUNT_HANDSHAKES_VERIFIED 92u
#define COUNT_COOKIES_TAKEN 93u
#define COUNT_UNDER_LOAD 94u
#define COUNT_SESSIONS_MADE 95u
#define COUNT_ROAMED 96u
#define COUNT_INSIDE_REFUSED 97u

#define RANDOM_MASK 1048575u
#define OWNER_MASK 7u
#define SOCKADDR_BYTES 28u
#define REJECT_AFTER_MESSAGES UINT64_C(18446744073709543423)

#define MESSAGE_INITIATION 1u
#define MESSAGE_RESPONSE 2u
#define MESSAGE_COOKIE 3u
#define MESSAGE_DATA 4u
#define MESSAGE_AES_OFFSET 4u
#define MESSAGE_INITIATION_BYTES 148u
#define MESSAGE_RESPONSE_BYTES 92u
#define MESSAGE_COOKIE_BYTES 64u

#define FOUND_PEER 1u
#define FOUND_FITS 2u
#define FOUND_SYN 4u
#define FOUND_SESSION 8u
#define FOUND_ALIVE 16u
#define FOUND_AES 32u
#define FOUND_SUITE 64u
#define FOUND_OWNER 128u
#define FOUND_CONFIRMED 256u
#define FOUND_NAMED 512u

#define PLAIN_OUTBOUND 59u
#define PLAIN_INBOUND 1016u

#define AEAD_KEY_BYTES 32u
#define AEAD_NONCE_BYTES 12u

#define PROTOCOL_ICMP 1u
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u
#define PROTOCOL_FRAGMENT 44u
#define PROTOCOL_ICMP6 58u

#define ECN_NOT_CAPABLE 0u
#define ECN_CE 3u

#define DATAGRAM_MOST 32u
#define DATAGRAM_BYTES 2048u
#define DATAGRAM_META_BYTES 64u
#define DATAGRAM_FROM_AT 8u
#define DATAGRAM_LOCAL_AT 36u

#define NAMES_HEAD_BYTES 8u
#define TUN_VNET_BYTES 16u

#define VNET_GSO_NONE 0u
#define VNET_GSO_TCP4 1u
#define VNET_GSO_TCP6 4u
#define VNET_GSO_UDP_L4 5u
#define VNET_GSO_NOBODY_KNOWS 127u

#define NODE_HOP 0u
#define NODE_LIST 1u
#define NODE_PARTS 2u
#define NODE_SEARCH 3u
#define NODE_EQUAL 4u

#define RESULT_KIND_MASK 7u
#define RESULT_PLANES_SHIFT 3u
#define RESULT_PLANES_MASK 3u
#define RESULT_COUNT_SHIFT 5u
#define RESULT_COUNT_MASK 15u
#define RESULT_SHIFT 9u
#define RESULT_PLACE_SHIFT 8u
#define RESULT_PLACE_MASK 4294967294u

#define PARTS_BASE 0u
#define PARTS_SHAPE 1u
#define PARTS_BEFORE 2u
#define PARTS_BEHIND 3u
#define PARTS_FIRST 4u
#define PARTS_OPEN_MASK 31u
#define PARTS_PARTS_SHIFT 5u

#define EQUAL_BELOW 0u
#define EQUAL_ABOVE 1u
#define EQUAL_INNER 2u
#define EQUAL_FIRST 3u

#define STEPS_MAX 10u

/* What all threads watch. */
#define ENGINE_SIZE 256u
#define ENGINE_STOP 0u
#define ENGINE_HAND_OVER 4u
#define ENGINE_LOCAL_COUNT 148u
#define ENGINE_ACTIVE_ROUTES 128u
#define ENGINE_PORT_OPEN 152u
#define ENGINE_TUN_INDEX 156u
#define ENGINE_OWN_PORT 160u
#define ENGINE_HOST_COUNT 164u
#define ENGINE_MTU 136u

/* A worker of the pool, and the doorbell it sleeps on. */
#define WORKER_SIZE 384u
#define WORKER_STATE 0u
#define WORKER_JOBS 8u
#define WORKER_THREAD_ID 4u
#define WORKER_BELL 128u
#define WORKER_TAG 256u
#define WORKER_DEAD_TAG 260u

/* An I/O thread: what others must know of it. */
#define IO_SIZE 512u
#define IO_LOOPS 0u
#define IO_HANDED_OVER 4u
#define IO_FREE_SLOTS 8u
#define IO_TOO_LARGE 12u
#define IO_NOW_MS 16u
#define IO_SLEPT_MS 24u
#define IO_TAIL 128u
#define IO_HEAD 132u
#define IO_HINT 256u
#define IO_ASLEEP 384u
#define IO_CONNECTED 388u

/* One run: up to 64 segments of one slot and one session, equal in size but for the last. */
#define JOB_SIZE 384u
#define JOB_KIND 0u
#define JOB_SLOT 4u
#define JOB_SLOT_GENERATION 8u
#define JOB_SESSION 12u
#define JOB_SESSION_GENERATION 16u
#define JOB_SUITE 20u
#define JOB_COUNT 24u
#define JOB_SEGMENT_BYTES 28u
#define JOB_LAST_BYTES 32u
#define JOB_COUNTER_LOW 36u
#define JOB_COUNTER_HIGH 40u
#define JOB_RECEIVER_INDEX 44u
#define JOB_MESSAGE_TYPE 48u
#define JOB_PEER 52u
#define JOB_TUN_BYTES 56u
#define JOB_INNER_VERSION 60u
#define JOB_INNER_ADDRESS 64u
#define JOB_ECN 80u
#define JOB_SYN 84u
#define JOB_FOUND 88u
#define JOB_WRITE_LOW 92u
#define JOB_WRITE_HIGH 96u
#define JOB_STATE 128u
#define JOB_FAILED_LOW 132u
#define JOB_FAILED_HIGH 136u
#define JOB_STALE 140u
#define JOB_SOURCE 256u
#define JOB_LOCAL 284u

/* Keys, counters and replay window of one session. Control fills it before it publishes its receiver index. */
#define SESSION_SIZE 1408u
#define SESSION_GENERATION 0u
#define SESSION_LOCAL_INDEX 4u
#define SESSION_REMOTE_INDEX 8u
#define SESSION_PEER 12u
#define SESSION_SUITE 16u
#define SESSION_INITIATOR 20u
#define SESSION_OWNER 24u
#define SESSION_REJECT_AT_MS 32u
#define SESSION_REJECT_AT 40u
#define SESSION_SEND_KEY 64u
#define SESSION_RECEIVE_KEY 96u
#define SESSION_SEND_COUNTER 128u
#define SESSION_LAST_COUNTER 256u
#define SESSION_CONFIRMED 264u
#define SESSION_WINDOW 384u

/* Where a peer is, which session to use, and what the timers must know. */
#define PEER_SIZE 384u
#define PEER_GENERATION 4u
#define PEER_ENDPOINT_LOCK 8u
#define PEER_ENDPOINT 12u
#define PEER_LOCAL 40u
#define PEER_PATH_MTU 68u
#define PEER_LEFT 72u
#define PEER_LEFT_UNTIL_MS 104u
#define PEER_FRAME_BUDGET 112u
#define PEER_WANTED_AT_MS 128u
#define PEER_LAST_SENT_MS 136u
#define PEER_LAST_DATA_SENT_MS 144u
#define PEER_SENT_BYTES 152u
#define PEER_UNSEGMENTED_UNTIL_MS 160u
#define PEER_ROAMED_AT_MS 168u
#define PEER_LOCAL_REFUSED 176u
#define PEER_TOO_BIG_AT_MS 184u
#define PEER_REFUSED_BYTES 180u
#define PEER_REFUSED_AT_MS 192u
#define PEER_CURRENT 200u
#define PEER_NEXT 204u
#define PEER_LAST_RECEIVED_MS 256u
#define PEER_LAST_DATA_RECEIVED_MS 264u
#define PEER_RECEIVED_BYTES 272u
#define PEER_HEARD_LOCK 288u
#define PEER_HEARD_AGAINST 292u
#define PEER_HEARD 296u
#define PEER_HEARD_LOCAL 324u
#define PEER_FRAMES_DUE_MS 280u
#define PEER_FRAME_BYTES_DUE_MS 352u

/* Several peers to which the same prefixes lead (memory/groups.ts). A peer alone has none. */
#define GROUP_SIZE 64u
#define GROUP_ACTIVE 0u
#define GROUP_ENTITLED 4u

/* Cursors of a queue with one producer and one consumer: of messages, or of control frames that arrived. */
#define QUEUE_SIZE 256u
#define QUEUE_TAIL 0u
#define QUEUE_HEAD 128u

/* An event (I/O thread to control) or a command (control to I/O thread). */
#define MESSAGE_SIZE 72u
#define MESSAGE_KIND 0u
#define MESSAGE_PEER 4u
#define MESSAGE_SESSION 8u
#define MESSAGE_GENERATION 12u
#define MESSAGE_ADDRESS 16u
#define MESSAGE_LOCAL 44u

/* A control frame that an I/O thread is to send; COMMAND.frame names the entry. */
#define FRAME_SIZE 1280u
#define FRAME_TAKEN 0u
#define FRAME_LENGTH 4u
#define FRAME_DATAGRAM_BYTES 8u
#define FRAME_PEER_GENERATION 12u
#define FRAME_CONTENT 16u

/* A control frame that an I/O thread opened; the cursors of `arrivalQueues` say whose turn it is. */
#define ARRIVAL_SIZE 1280u
#define ARRIVAL_PEER 0u
#define ARRIVAL_SESSION 4u
#define ARRIVAL_GENERATION 8u
#define ARRIVAL_DATAGRAM_BYTES 12u
#define ARRIVAL_LENGTH 16u
#define ARRIVAL_CONTENT 32u

/* An address of this host. Of the tunnel interface (`locals`): packets to it are not forwarded, so AEAD vouches for their checksum. Of any (`hosts`): what comes from it with our port is ours. */
#define LOCAL_SIZE 32u
#define LOCAL_VERSION 0u
#define LOCAL_ADDRESS 4u

/* framesPerSecond, framesAtOnce, bytesPerSecond, bytesAtOnce */
#define FRAME_BUDGETS { { 20, 10, 4800, 2400 }, { 200, 64, 247200, 65536 } }

enum region {
    REGION_ENGINE,
    REGION_WORKERS,
    REGION_IOS,
    REGION_JOBS,
    REGION_EVENT_QUEUES,
    REGION_EVENTS,
    REGION_COMMAND_QUEUES,
    REGION_COMMANDS,
    REGION_FRAMES,
    REGION_ARRIVAL_QUEUES,
    REGION_ARRIVALS,
    REGION_COUNTERS,
    REGION_LOCALS,
    REGION_HOSTS,
    REGION_PEERS,
    REGION_SESSIONS,
    REGION_RECEIVER_INDICES,
    REGION_GROUPS,
    REGION_ROUTES4,
    REGION_ROUTES6,
    REGION_SLOT_GENERATIONS,
    REGION_SLOTS,
    REGION_COUNT
};

#endif
