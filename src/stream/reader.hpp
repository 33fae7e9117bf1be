// Reader: a process that reads chunks of existing rows for a deliverer (worker/helper.hpp).
//
// Between the two stands a segment of dynamic shared memory that the deliverer makes, with a queue
// each way: orders, one message each, and answers: one message, then the rows in pieces. The reader
// knows nothing but the stream's definition and the order; it writes nothing. It ends when the
// deliverer lets go of the segment, when it is told to, and with an error that is no answer to an
// order.
#pragma once

#include "pg/postgres.hpp"

namespace bitvelocity::stream {

// One chunk fits into neither queue nor memory of the other side's at once: it goes through.
inline constexpr std::size_t kOrderQueueBytes = 64UL * 1024;
inline constexpr std::size_t kAnswerQueueBytes = 1024UL * 1024;
inline constexpr std::size_t kPieceBytes = 128UL * 1024;

// The queues of a segment.
inline void* OrderQueue(dsm_segment* segment) {
    return dsm_segment_address(segment);
}
inline void* AnswerQueue(dsm_segment* segment) {
    return static_cast<char*>(dsm_segment_address(segment)) + kOrderQueueBytes;
}

// What a reader is told at its start, beside the segment's handle.
struct ReaderStart {
    Oid database;
    std::int32_t stream_id;
};

inline constexpr char kReaderMain[] = "bitvelocity_reader_main";

}  // namespace bitvelocity::stream
