// Queue: the one-way channel of a stream, decoder -> deliverer, a shm_mq of batches of frames.
//
// The sender's half is plain data and may raise: it is used inside decoding callbacks. Batches end
// at frame boundaries; one batch holds up to kBatchBytes, or one larger frame alone. Back-pressure
// is a full queue. Memory: bitvelocity.stream_memory / 8 of shared memory.
#pragma once

#include "pg/postgres.hpp"
#include "stream/shared.hpp"

namespace bitvelocity::stream {

inline constexpr std::size_t kBatchBytes = 128 * 1024;

struct Sender {
    Entry* entry;
    dsm_segment* segment;
    shm_mq_handle* queue;
    char* batch;
    std::size_t length;
    std::size_t capacity;
};

// Decoder, outside a transaction: makes the segment and publishes its handle in the entry.
void OpenSender(Sender* sender, Entry* entry, std::size_t queue_bytes);
// Copies the frame into the batch; sends when the batch is full. Raises when the deliverer is gone
// or a stop's deadline has passed.
void AppendFrame(Sender* sender, XLogRecPtr lsn, const char* bytes, std::size_t length);
void SendBatch(Sender* sender);
// After it the deliverer reads what is left and sees the end.
void CloseSender(Sender* sender);

enum class Received { kBatch, kEmpty, kEnd };

struct Receiver {
    dsm_segment* segment;
    shm_mq_handle* queue;
};

// Deliverer: waits for the decoder's queue; false when there will be none (stop, decoder gone).
bool OpenReceiver(Receiver* receiver, Entry* entry);
// Never blocks; the batch is valid until the next call.
Received Receive(Receiver* receiver, const char** bytes, std::size_t* length);

}  // namespace bitvelocity::stream
