// Pusher: makes librdkafka send what it holds now, without waiting for it.
//
// The client's own linger.ms is fixed for a producer's life, and neither value is right: at 0 its
// broker thread spins while a request is under way and more messages wait behind it (an idempotent
// producer has one request at a time), at more every lone message waits. So the linger is long,
// full batches go by themselves, and rd_kafka_flush, which blocks, is called from a thread of its
// own whenever the stream has nothing more to add. Measured in bench/README.md. Owner: the
// deliverer's main thread; the thread inside calls librdkafka only.
#pragma once

#include <librdkafka/rdkafka.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace bitvelocity::sink::kafka {

class Pusher {
  public:
    // Signals must be blocked by the caller, so that the thread takes none.
    explicit Pusher(rd_kafka_t* handle);
    ~Pusher();
    Pusher(const Pusher&) = delete;
    Pusher& operator=(const Pusher&) = delete;

    // Everything produced so far goes out as soon as the partition's earlier request is answered or
    // kPushMs have passed; then ask again. Never blocks.
    void Push();

  private:
    void Run();

    rd_kafka_t* handle_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool wanted_ = false;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace bitvelocity::sink::kafka
