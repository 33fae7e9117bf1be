#include "sink/kafka/client.hpp"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include <malloc.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sink/blocked_signals.hpp"

namespace bitvelocity::sink::kafka {

namespace {

constexpr std::chrono::milliseconds kDestroyLimit{1000};
constexpr int kKeptBytes = 32 * 1024 * 1024;
// librdkafka allocates a buffer of batch size for every request.
constexpr int kMappedBytes = 4 * 1024 * 1024;

// Clients whose threads may still run. Plain data: it is read while the process exits.
int live_clients = 0;
bool exit_guarded = false;

void ExitGuard(int status, void*) {
    if (live_clients > 0) {
        std::fflush(nullptr);  // as exit() would
        _exit(status);
    }
}

// Shared with the thread that destroys, which may outlive the client.
struct Destruction {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
};

bool DestroyWithin(rd_kafka_t* handle, std::vector<std::shared_ptr<void>> kept,
                   std::chrono::milliseconds limit) {
    auto state = std::make_shared<Destruction>();
    {
        const BlockedSignals blocked;
        std::thread([handle, state, kept = std::move(kept)]() mutable {
            rd_kafka_destroy(handle);
            kept.clear();
            const std::lock_guard lock(state->mutex);
            state->done = true;
            state->changed.notify_one();
        }).detach();
    }
    std::unique_lock lock(state->mutex);
    return state->changed.wait_for(lock, limit, [&] { return state->done; });
}

}  // namespace

core::Result<std::unique_ptr<Client>> Client::Create(rd_kafka_type_t type, ConfigurationPtr conf,
                                                     const Redactor& redactor) {
    std::unique_ptr<Client> client(new Client());
    client->wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (client->wake_fd_ < 0) {
        return core::Status::Fail(core::kInternalError, "cannot create a wake descriptor",
                                  std::string(std::strerror(errno)) + ".");
    }
    // Queued messages come and go by the tens of megabytes: given back to the system each time,
    // they would be mapped and cleared anew each time. A value of its own also keeps mmap's
    // threshold still.
    mallopt(M_TRIM_THRESHOLD, kKeptBytes);
    mallopt(M_MMAP_THRESHOLD, kMappedBytes);
    if (!exit_guarded) {
        exit_guarded = on_exit(ExitGuard, nullptr) == 0;
    }
    rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR |
                                             RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_STATS);
    const bool pushed =
        type == RD_KAFKA_PRODUCER && Get(conf.get(), "linger.ms") == kPushedLingerMs;
    char text[512];
    {
        const BlockedSignals blocked;
        client->handle_ = rd_kafka_new(type, conf.get(), text, sizeof(text));
    }
    if (client->handle_ == nullptr) {
        return core::Status::Fail(core::kConfigFileError, "cannot create a Kafka client",
                                  redactor.Clean(text) + ".");
    }
    (void)conf.release();  // the client owns it now
    ++live_clients;
    // Logs join the other events on the main queue, which the main thread serves.
    rd_kafka_set_log_queue(client->handle_, nullptr);
    client->queue_ = rd_kafka_queue_get_main(client->handle_);
    const std::uint64_t one = 1;
    rd_kafka_queue_io_event_enable(client->queue_, client->wake_fd_, &one, sizeof(one));
    if (pushed) {
        const BlockedSignals blocked;
        client->pusher_ = std::make_unique<Pusher>(client->handle_);
    }
    return client;
}

Client::~Client() {
    pusher_.reset();
    if (handle_ != nullptr) {
        rd_kafka_queue_io_event_enable(queue_, -1, nullptr, 0);
        rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_queue_destroy(queue_);
        if (DestroyWithin(handle_, std::move(kept_), kDestroyLimit)) {
            --live_clients;
        }
    }
    if (wake_fd_ >= 0) {
        close(wake_fd_);
    }
}

void Client::ClearWake() {
    std::uint64_t count = 0;
    (void)!read(wake_fd_, &count, sizeof(count));
}

}  // namespace bitvelocity::sink::kafka
