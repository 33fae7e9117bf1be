#include "stream/queue.hpp"

#include "pg/failpoint.hpp"
#include "worker/loop.hpp"

namespace bitvelocity::stream {

namespace {

// Waits until the deliverer takes something out of the full queue, and serves what has to work even
// here, in the middle of a transaction: interrupts, reload, and a stop, which lets the transaction
// finish only until its deadline.
void WaitForRoom(Entry* entry) {
    worker::Wait(100);
    if (worker::StopRequested()) {
        entry->stop.store(true);
    }
    if (entry->stop.load()) {
        const std::int64_t deadline = entry->stop_deadline_us.load();
        if (entry->sink_down.load() || (deadline != 0 && worker::Now() >= deadline)) {
            ereport(ERROR,
                    (errcode(ERRCODE_ADMIN_SHUTDOWN),
                     errmsg("stream \"%s\" stops in the middle of a transaction", entry->name),
                     errdetail("It will be delivered again from its beginning.")));
        }
    }
}

}  // namespace

void OpenSender(Sender* sender, Entry* entry, std::size_t queue_bytes) {
    sender->entry = entry;
    sender->segment = dsm_create(queue_bytes, 0);
    dsm_pin_mapping(sender->segment);
    shm_mq* mq = shm_mq_create(dsm_segment_address(sender->segment), queue_bytes);
    shm_mq_set_sender(mq, MyProc);
    sender->capacity = 2 * kBatchBytes;
    sender->length = 0;
    const MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    sender->batch = static_cast<char*>(palloc(sender->capacity));
    sender->queue = shm_mq_attach(mq, sender->segment, nullptr);
    MemoryContextSwitchTo(old);
    entry->queue.store(dsm_segment_handle(sender->segment));
    WakeDeliverer(entry);
}

void AppendFrame(Sender* sender, XLogRecPtr lsn, const char* bytes, std::size_t length) {
    const std::size_t needed = sizeof(std::uint32_t) + sizeof(std::uint64_t) + length;
    if (sender->length > 0 && sender->length + needed > kBatchBytes) {
        SendBatch(sender);
    }
    if (needed > sender->capacity) {
        sender->batch = static_cast<char*>(repalloc_huge(sender->batch, needed));
        sender->capacity = needed;
    }
    char* out = sender->batch + sender->length;
    const auto length32 = static_cast<std::uint32_t>(length);
    std::memcpy(out, &length32, sizeof(length32));
    std::memcpy(out + sizeof(length32), &lsn, sizeof(lsn));
    std::memcpy(out + sizeof(length32) + sizeof(lsn), bytes, length);
    sender->length += needed;
}

void SendBatch(Sender* sender) {
    if (sender->length == 0) {
        return;
    }
    for (;;) {
        const shm_mq_result result =
            shm_mq_send(sender->queue, sender->length, sender->batch, true, true);
        if (result == SHM_MQ_SUCCESS) {
            break;
        }
        if (result == SHM_MQ_DETACHED) {
            ereport(ERROR,
                    (errcode(ERRCODE_CONNECTION_FAILURE),
                     errmsg("the deliverer of stream \"%s\" has gone", sender->entry->name)));
        }
        WaitForRoom(sender->entry);
    }
    sender->length = 0;
    pg::PassFailpoint(core::Failpoint::decoder_sent);
    // One huge row must not keep its buffer for ever.
    if (sender->capacity > 16 * kBatchBytes) {
        sender->batch = static_cast<char*>(repalloc_huge(sender->batch, 2 * kBatchBytes));
        sender->capacity = 2 * kBatchBytes;
    }
}

void CloseSender(Sender* sender) {
    shm_mq_detach(sender->queue);
    sender->queue = nullptr;
}

bool OpenReceiver(Receiver* receiver, Entry* entry) {
    while (entry->queue.load() == DSM_HANDLE_INVALID) {
        if (worker::StopRequested() || entry->stop.load() || entry->slot_lost.load()) {
            return false;
        }
        worker::Wait(100);
    }
    receiver->segment = dsm_attach(entry->queue.load());
    if (receiver->segment == nullptr) {
        return false;
    }
    dsm_pin_mapping(receiver->segment);
    auto* mq = static_cast<shm_mq*>(dsm_segment_address(receiver->segment));
    shm_mq_set_receiver(mq, MyProc);
    const MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    receiver->queue = shm_mq_attach(mq, receiver->segment, nullptr);
    MemoryContextSwitchTo(old);
    return true;
}

Received Receive(Receiver* receiver, const char** bytes, std::size_t* length) {
    Size size = 0;
    void* data = nullptr;
    switch (shm_mq_receive(receiver->queue, &size, &data, true)) {
        case SHM_MQ_SUCCESS:
            *bytes = static_cast<const char*>(data);
            *length = size;
            return Received::kBatch;
        case SHM_MQ_WOULD_BLOCK:
            return Received::kEmpty;
        default:
            return Received::kEnd;
    }
}

}  // namespace bitvelocity::stream
