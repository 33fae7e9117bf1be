#include "stream/reader.hpp"

#include "core/failpoint.hpp"
#include "pg/boundary.hpp"
#include "pg/failpoint.hpp"
#include "pg/scopes.hpp"
#include "pipeline/snapshot_options.hpp"
#include "stream/chunk_reader.hpp"
#include "stream/definition.hpp"
#include "stream/model/chunk.hpp"
#include "worker/helper.hpp"
#include "worker/loop.hpp"
#include "worker/worker.hpp"
#include "pg/postgres.hpp"

#include "stream/process.hpp"

extern "C" {
BV_EXPORT void bitvelocity_reader_main(Datum argument);
}

namespace bitvelocity::stream {

namespace {

constexpr std::int64_t kIdleMs = 1000;

struct Lines {
    shm_mq_handle* orders;
    shm_mq_handle* answers;
};

// False: the deliverer is gone.
bool Attach(dsm_handle handle, Lines* lines) {
    dsm_segment* segment = dsm_attach(handle);
    if (segment == nullptr) {
        return false;
    }
    dsm_pin_mapping(segment);
    auto* orders = static_cast<shm_mq*>(OrderQueue(segment));
    auto* answers = static_cast<shm_mq*>(AnswerQueue(segment));
    shm_mq_set_receiver(orders, MyProc);
    shm_mq_set_sender(answers, MyProc);
    const MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    lines->orders = shm_mq_attach(orders, segment, nullptr);
    lines->answers = shm_mq_attach(answers, segment, nullptr);
    MemoryContextSwitchTo(old);
    return true;
}

// Tries until the other side is there to take or give; false: it is time to go.
template <typename Attempt>
bool Retry(const Attempt& attempt) {
    while (!worker::StopRequested()) {
        const shm_mq_result result = attempt();
        if (result != SHM_MQ_WOULD_BLOCK) {
            return result == SHM_MQ_SUCCESS;
        }
        worker::Wait(kIdleMs);
    }
    return false;
}

// The next order.
bool Receive(Lines* lines, Size* length, void** bytes) {
    return Retry([=]() { return shm_mq_receive(lines->orders, length, bytes, true); });
}

bool Send(Lines* lines, const char* bytes, std::size_t length) {
    return Retry([=]() { return shm_mq_send(lines->answers, length, bytes, true, true); });
}

model::ChunkAnswer Answer(ChunkReader& reader, const model::ChunkOrder& order) {
    model::ChunkAnswer answer;
    answer.number = order.number;
    answer.again = order.again;
    const core::Status status = pg::Catch([&]() {
        answer.outcome = reader.Read(order, &answer.chunk);
        pg::ThrowIfError(core::PassFailpoint(core::Failpoint::reader_chunk_read));
    });
    if (!status.ok()) {
        answer.outcome = model::ReadOutcome::kFailed;
        answer.error = status.error();
    }
    return answer;
}

bool SendAnswer(Lines* lines, const model::ChunkAnswer& answer) {
    const std::string head = Encode(answer);
    bool sent = pg::Call(
        [lines, bytes = head.data(), size = head.size()]() { return Send(lines, bytes, size); });
    const std::string& rows = answer.chunk.rows;
    for (std::size_t at = 0; sent && at < rows.size(); at += kPieceBytes) {
        sent = pg::Call(
            [lines, bytes = rows.data() + at, size = std::min(kPieceBytes, rows.size() - at)]() {
                return Send(lines, bytes, size);
            });
    }
    return sent;
}

void ReadChunks(dsm_handle handle, const ReaderStart& start) {
    worker::Connect(start.database);
    Lines lines{};
    const bool attached = pg::Call([handle, &lines]() {
        PinSettings();
        pg::ReadFailpoint();
        return Attach(handle, &lines);
    });
    if (!attached) {
        return;
    }
    Definition definition;
    {
        pg::TransactionScope transaction;
        if (!LoadDefinition(start.stream_id, &definition)) {
            return;
        }
        transaction.Commit();
    }
    const pipeline::SnapshotOptions options =
        pg::ValueOrThrow(pipeline::ParseSnapshotOptions(definition.options_json));
    ChunkReader reader(definition, options.chunk_rows);
    for (;;) {
        Size length = 0;
        void* bytes = nullptr;
        const bool ordered =
            pg::Call([&lines, &length, &bytes]() { return Receive(&lines, &length, &bytes); });
        if (!ordered) {
            return;
        }
        const auto order = model::DecodeOrder({static_cast<const char*>(bytes), length});
        if (!order) {
            pg::Throw(core::kInternalError, "an order to read existing rows is broken");
        }
        if (!SendAnswer(&lines, Answer(reader, *order))) {
            return;
        }
    }
}

}  // namespace

}  // namespace bitvelocity::stream

void bitvelocity_reader_main(Datum argument) {
    using namespace bitvelocity;
    worker::BecomeHelper();
    stream::ReaderStart start{};
    std::memcpy(&start, MyBgworkerEntry->bgw_extra, sizeof(start));
    pg::Enter([argument, &start]() {
        try {
            stream::ReadChunks(DatumGetUInt32(argument), start);
        } catch (const pg::PgError&) {
            // A stop cancels whatever runs.
            if (!worker::StopRequested()) {
                throw;
            }
        }
    });
    proc_exit(0);
}
