// Failpoints: named places between two steps of a stream where a test ends, fails or delays a
// process. Every name stands in the list below and nowhere else.
//
// The library that is tested is the one that is shipped: a place costs one load of a process-local
// word and a branch that is never taken. A test arms one place for one hit by a file in the data
// directory (the working directory of every server process), which only the server's account can
// write: one line
//
//     PLACE ACTION [HIT]        for example   deliverer_sent kill 17
//
// HIT (1) counts from the moment a process has read the file, at its start or at a reload. Whoever
// hits it removes the file first, so it happens once, however many processes have read it and
// however often the server starts again. Actions: `error`, `sleep` (500 ms), `kill` (this process),
// `kill_server` (its parent and itself), `stop_immediate` (SIGQUIT to its parent). Any process,
// main thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/status.hpp"

namespace bitvelocity::core {

// Decoder: slot made; record decoded; frame in the batch; batch in the queue; before confirming,
// between confirming and saving the slot, after; stopping: before the last batch, queue closed.
// Reader of existing rows: a chunk read, not yet sent.
// Deliverer: slot seen; sink opened; existing rows: a chunk read, its watermark written, a
// row in the sink, all of the chunk, what was done saved; batch received, batch delivered;
// message handed to the transport, acknowledgements taken, letters stored, letters sent
// again; position published; stopping: before and after draining. Bronze: before and after its
// commit. Kafka transactions: before one is opened, before the progress record, before the commit,
// after it.
#define BV_FAILPOINTS(X)      \
    X(decoder_slot_made)      \
    X(decoder_decoded)        \
    X(decoder_framed)         \
    X(decoder_sent)           \
    X(decoder_confirming)     \
    X(decoder_saving)         \
    X(decoder_saved)          \
    X(decoder_stopping)       \
    X(decoder_closed)         \
    X(deliverer_slot_seen)    \
    X(deliverer_opened)       \
    X(reader_chunk_read)      \
    X(deliverer_chunk_read)   \
    X(deliverer_watermarked)  \
    X(deliverer_row_copied)   \
    X(deliverer_copied)       \
    X(deliverer_chunk_saved)  \
    X(deliverer_received)     \
    X(deliverer_fed)          \
    X(deliverer_sent)         \
    X(deliverer_acknowledged) \
    X(letters_stored)         \
    X(letters_redriven)       \
    X(deliverer_published)    \
    X(deliverer_draining)     \
    X(deliverer_drained)      \
    X(bronze_committing)      \
    X(bronze_committed)       \
    X(transaction_opened)     \
    X(transaction_ending)     \
    X(transaction_progress)   \
    X(transaction_committed)

enum class Failpoint : std::uint8_t {
    none,
#define BV_FAILPOINT_NAME(name) name,
    BV_FAILPOINTS(BV_FAILPOINT_NAME)
#undef BV_FAILPOINT_NAME
};

inline constexpr char kFailpointFile[] = "bitvelocity.failpoint";

// The one place that is armed in this process.
extern Failpoint armed_failpoint;

// Reads the file, at the start of a process and at a reload; without one nothing is armed. 22023:
// the line has another form.
Status ArmFailpoint(const char* file = kFailpointFile);

// Does what the file says. True: the action is `error`, which is the caller's to raise.
bool HitFailpoint();

[[nodiscard]] std::string_view FailpointName(Failpoint point);

[[nodiscard]] inline bool FailpointHit(Failpoint point) {
    return armed_failpoint == point && HitFailpoint();
}

// For code that returns its errors.
[[nodiscard]] inline Status PassFailpoint(Failpoint point) {
    if (FailpointHit(point)) [[unlikely]] {
        return Status::Fail(kInternalError, "failpoint " + std::string(FailpointName(point)));
    }
    return Status::Ok();
}

}  // namespace bitvelocity::core
