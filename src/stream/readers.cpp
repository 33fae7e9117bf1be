#include "stream/readers.hpp"

#include <algorithm>

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "worker/helper.hpp"
#include "pg/postgres.hpp"

#include "stream/reader.hpp"

namespace bitvelocity::stream {

namespace {

// So many that leave without an answer are no accident.
constexpr int kMostLost = 10;

// A segment with both queues; null: the server has no segment left.
dsm_segment* MakeSegment() {
    dsm_segment* segment =
        dsm_create(kOrderQueueBytes + kAnswerQueueBytes, DSM_CREATE_NULL_IF_MAXSEGMENTS);
    if (segment != nullptr) {
        shm_mq_set_sender(shm_mq_create(OrderQueue(segment), kOrderQueueBytes), MyProc);
        shm_mq_set_receiver(shm_mq_create(AnswerQueue(segment), kAnswerQueueBytes), MyProc);
        dsm_pin_mapping(segment);
    }
    return segment;
}

}  // namespace

Readers::~Readers() {
    for (Reader& reader : readers_) {
        Close(reader);
    }
}

bool Readers::Idle() const {
    return std::any_of(readers_.begin(), readers_.end(),
                       [](const Reader& reader) { return reader.number == 0; });
}

bool Readers::Ready() {
    return Idle() || (readers_.size() < wanted_ && exhausted_.empty() && Start());
}

// In a transaction, so that an error (shared memory is full) leaves nothing behind.
bool Readers::Start() {
    Reader reader;
    const core::Status made = pg::Catch([&reader]() {
        pg::TransactionScope transaction;
        reader.segment = pg::Call([]() { return MakeSegment(); });
        transaction.Commit();
    });
    if (!made.ok() || reader.segment == nullptr) {
        exhausted_ = made.ok() ? "no segment of shared memory is free" : made.error().message;
        return false;
    }
    const ReaderStart told{MyDatabaseId, definition_.stream_id};
    worker::HelperStart start;
    start.function = kReaderMain;
    start.type = "bitvelocity reader";
    start.name = definition_.name.c_str();
    start.argument = dsm_segment_handle(reader.segment);
    start.extra = &told;
    start.extra_size = sizeof(told);
    reader.process = worker::StartHelper(start);
    if (reader.process == nullptr) {
        dsm_detach(reader.segment);
        exhausted_ = "no background worker slot is free";
        return false;
    }
    pg::Call([&reader]() {
        const MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
        reader.orders = shm_mq_attach(static_cast<shm_mq*>(OrderQueue(reader.segment)),
                                      reader.segment, reader.process);
        reader.answers = shm_mq_attach(static_cast<shm_mq*>(AnswerQueue(reader.segment)),
                                       reader.segment, reader.process);
        MemoryContextSwitchTo(old);
    });
    readers_.push_back(std::move(reader));
    return true;
}

void Readers::Give(const model::ChunkOrder& order) {
    const auto idle = std::find_if(readers_.begin(), readers_.end(),
                                   [](const Reader& reader) { return reader.number == 0; });
    idle->number = order.number;
    idle->unsent = Encode(order);
    (void)Send(*idle);
}

// False: the reader is gone.
bool Readers::Send(Reader& reader) {
    if (reader.unsent.empty()) {
        return true;
    }
    const shm_mq_result result = pg::Call(
        [queue = reader.orders, bytes = reader.unsent.data(), size = reader.unsent.size()]() {
            return shm_mq_send(queue, size, bytes, true, true);
        });
    if (result == SHM_MQ_SUCCESS) {
        reader.unsent.clear();
    }
    return result != SHM_MQ_DETACHED;
}

bool Readers::Receive(Reader& reader, bool* gone) {
    for (;;) {
        Size size = 0;
        void* data = nullptr;
        const shm_mq_result result = pg::Call([queue = reader.answers, &size, &data]() {
            return shm_mq_receive(queue, &size, &data, true);
        });
        if (result != SHM_MQ_SUCCESS) {
            *gone = result == SHM_MQ_DETACHED;
            return false;
        }
        const std::string_view bytes(static_cast<const char*>(data), size);
        if (!reader.answer) {
            reader.answer = model::DecodeAnswer(bytes, &reader.missing);
            if (!reader.answer) {
                pg::Throw(core::kInternalError, "an answer of a reader is broken");
            }
            reader.answer->chunk.rows.reserve(reader.missing);
        } else {
            reader.answer->chunk.rows.append(bytes);
            reader.missing -= std::min<std::uint64_t>(reader.missing, bytes.size());
        }
        if (reader.missing == 0) {
            return true;
        }
    }
}

std::optional<model::ChunkAnswer> Readers::Take() {
    for (auto reader = readers_.begin(); reader != readers_.end(); ++reader) {
        if (reader->number == 0) {
            continue;
        }
        bool gone = !Send(*reader);
        if (!gone && Receive(*reader, &gone)) {
            lost_ = 0;
            reader->number = 0;
            return std::exchange(reader->answer, std::nullopt);
        }
        if (gone) {
            model::ChunkAnswer lost;
            lost.number = reader->number;
            lost.outcome = model::ReadOutcome::kLost;
            Close(*reader);
            readers_.erase(reader);
            if (++lost_ == kMostLost) {
                exhausted_ = "readers end without an answer";
            }
            return lost;
        }
    }
    return std::nullopt;
}

void Readers::Close(Reader& reader) noexcept {
    shm_mq_detach(reader.orders);
    shm_mq_detach(reader.answers);
    dsm_detach(reader.segment);
    worker::EndHelper(reader.process);
}

}  // namespace bitvelocity::stream
