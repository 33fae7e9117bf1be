#include "sink/kafka/pusher.hpp"

namespace bitvelocity::sink::kafka {

namespace {

// Long enough to cover a request on the same network, short enough that a backlog which arrives
// meanwhile soon travels in full batches again.
constexpr int kPushMs = 10;

}  // namespace

Pusher::Pusher(rd_kafka_t* handle) : handle_(handle), thread_([this] { Run(); }) {}

Pusher::~Pusher() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void Pusher::Push() {
    {
        const std::lock_guard lock(mutex_);
        if (wanted_) {
            return;
        }
        wanted_ = true;
    }
    changed_.notify_one();
}

void Pusher::Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return wanted_ || stop_; });
        if (stop_) {
            return;
        }
        wanted_ = false;
        lock.unlock();
        (void)rd_kafka_flush(handle_, kPushMs);
        lock.lock();
    }
}

}  // namespace bitvelocity::sink::kafka
