// transport_bench: how fast the Kafka transport alone takes and delivers messages.
//
//   transport_bench TOPIC COUNT BYTES HEADERS name=value ...
//
// Sends COUNT messages of BYTES bytes (JSON of an order, varied by row) with HEADERS headers each,
// after a warm-up of a tenth, and prints one `figure NAME VALUE UNIT` a line. The properties are
// librdkafka's; bootstrap.servers is needed.

#include <poll.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sink/transport.hpp"

extern "C" bitvelocity::sink::Transport* bitvelocity_kafka_transport(
    const bitvelocity::sink::TransportOptions* options, bitvelocity::core::Error* error);

namespace {

using bitvelocity::core::Error;
using bitvelocity::core::Status;
using bitvelocity::sink::Header;
using bitvelocity::sink::OutgoingMessage;
using bitvelocity::sink::SendResult;
using bitvelocity::sink::Transport;
using bitvelocity::sink::TransportOptions;

class Counter final : public bitvelocity::sink::AckHandler {
  public:
    void OnAck(std::uint64_t) override { ++acked; }
    void OnFailure(std::uint64_t, const Error& error) override {
        std::fprintf(stderr, "%s: %s\n", error.message.c_str(), error.detail.c_str());
        std::exit(1);
    }
    long acked = 0;
};

void Check(const Status& status) {
    if (!status.ok()) {
        std::fprintf(stderr, "%s: %s\n", status.error().message.c_str(),
                     status.error().detail.c_str());
        std::exit(1);
    }
}

void Wait(Transport& transport, Counter& counter) {
    pollfd fd{transport.wake_fd(), POLLIN, 0};
    poll(&fd, 1, 1000);
    Check(transport.Poll(counter));
}

double Cpu(int who) {
    rusage usage{};
    getrusage(who, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct Workload {
    std::string topic;
    long bytes;
    int headers;
};

long Run(Transport& transport, const Workload& workload, long count) {
    Counter counter;
    std::vector<Header> headers;
    const std::string names[] = {"event_id", "identity", "source", "epoch", "commit_lsn",
                                 "xid",      "ordinal",  "part",   "h8",    "h9"};
    std::string key;
    std::string value;
    long full = 0;
    unsigned long long random = 88172645463325252ULL;
    for (long i = 0; i < count; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        char text[256];
        key.assign(text, std::snprintf(text, sizeof(text), "{\"order_id\":%ld}", i));
        value.assign(
            text,
            std::snprintf(text, sizeof(text),
                          R"({"schema":"public.orders","payload":{"order_id":%ld,)"
                          R"("customer_id":%llu,"status":"shipped","total_amount":)"
                          R"("%llu.%02llu","updated_at":"2026-11-23T10:%02ld:%02ldZ","note":")",
                          i, random % 100000, random % 977, (random >> 20) % 100, i / 60000 % 60,
                          i / 1000 % 60));
        while (static_cast<long>(value.size()) < workload.bytes - 2) {
            value += static_cast<char>('a' + (random >> (value.size() % 50)) % 16);
            value += "abcdefghijk";
        }
        value += "\"}";
        headers.clear();
        for (int h = 0; h < workload.headers; ++h) {
            headers.push_back({names[h], "0192c4f2-7a10-8b3c-9d4e-000000000001"});
        }
        OutgoingMessage message;
        message.destination = workload.topic;
        message.has_key = true;
        message.key = key;
        message.value = value;
        message.headers = headers;
        message.tag = static_cast<std::uint64_t>(i);
        for (;;) {
            auto sent = transport.Send(message);
            if (!sent.ok()) {
                Check(sent.TakeStatus());
            }
            if (*sent == SendResult::kQueued) {
                break;
            }
            ++full;
            Wait(transport, counter);
        }
        if (i % 1024 == 1023) {
            Check(transport.Poll(counter));
        }
    }
    transport.Flush();
    while (counter.acked < count) {
        Wait(transport, counter);
    }
    return full;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 6) {
        std::fprintf(stderr, "usage: transport_bench TOPIC COUNT BYTES HEADERS name=value ...\n");
        return 2;
    }
    const Workload workload{argv[1], std::atol(argv[3]), std::atoi(argv[4])};
    const long count = std::atol(argv[2]);
    TransportOptions options;
    options.client_id = "bitvelocity-bench";
    for (int i = 5; i < argc; ++i) {
        const std::string_view property = argv[i];
        const auto equals = property.find('=');
        options.properties.emplace_back(property.substr(0, equals), property.substr(equals + 1));
    }
    Error error;
    std::unique_ptr<Transport> transport(bitvelocity_kafka_transport(&options, &error));
    if (transport == nullptr) {
        std::fprintf(stderr, "%s: %s\n", error.message.c_str(), error.detail.c_str());
        return 1;
    }
    Run(*transport, workload, count / 10);
    const double cpu = Cpu(RUSAGE_SELF);
    const double main_cpu = Cpu(RUSAGE_THREAD);
    const auto start = std::chrono::steady_clock::now();
    const long full = Run(*transport, workload, count);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("figure transport_messages_per_s %.0f 1/s\n", static_cast<double>(count) / seconds);
    std::printf("figure transport_cpu_us_per_message %.3f us\n",
                (Cpu(RUSAGE_SELF) - cpu) * 1e6 / static_cast<double>(count));
    std::printf("figure transport_main_thread_us_per_message %.3f us\n",
                (Cpu(RUSAGE_THREAD) - main_cpu) * 1e6 / static_cast<double>(count));
    std::printf("figure transport_queue_full_waits %ld 1\n", full);
    return 0;
}
