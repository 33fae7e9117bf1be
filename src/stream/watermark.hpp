// Watermark: the message by which a deliverer finds, in the stream that its own decoder reads, the
// place behind everything a chunk of existing rows sees.
//
// Non-transactional, so that it is delivered where it stands; flushed, because the decoder reads
// only what is (PostgreSQL flushes such messages since 17, and only if asked). Without the origin
// that the deliverer's other writes carry: those are kept out of every stream. Deliverer, main
// thread, inside or outside a transaction.
#pragma once

#include <string>

namespace bitvelocity::stream {

// `mark` is what the stream's wal::Handler gets back. Throws.
void WriteWatermark(const std::string& stream, const std::string& mark);

}  // namespace bitvelocity::stream
