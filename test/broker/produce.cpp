// produce: sends numbered messages through the Kafka transport's shared object, as a deliverer
// does.
//
//   produce LIBRARY TOPIC COUNT BYTES HEADERS name=value ...
//
// Message N has key N % 1000 and a value of about BYTES bytes that begins {"number":N,. The
// properties are librdkafka's. Says on standard error when the broker is unreachable and reachable
// again, and what was acknowledged every tenth of a second. Exit status 0: all was acknowledged,
// and the rates are printed as `figure NAME VALUE UNIT`; 3: a message or the producer failed, the
// error is printed, a second later: what is sent meanwhile is in the topic. With WARMUP=n in the
// environment, n messages are sent before the clock starts (to the same topic); with LARGE=n
// message n has 5,000 bytes; with MESSAGES=file the lines of that file (key, tab, value) are sent
// in turns instead, and BYTES says nothing.

#include <dlfcn.h>
#include <poll.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sink/transport.hpp"

namespace {

using bitvelocity::core::Error;
using bitvelocity::core::Status;
using bitvelocity::sink::Header;
using bitvelocity::sink::OutgoingMessage;
using bitvelocity::sink::SendResult;
using bitvelocity::sink::Transport;
using bitvelocity::sink::TransportFactory;
using bitvelocity::sink::TransportOptions;
using Clock = std::chrono::steady_clock;

constexpr int kKeys = 1000;
constexpr int kMessagesPerPoll = 1024;

[[noreturn]] void Fail(const Error& error) {
    std::printf("%s %s\nDETAIL: %s\nHINT: %s\n", error.sqlstate.c_str(), error.message.c_str(),
                error.detail.c_str(), error.hint.c_str());
    std::exit(3);
}

class Counter final : public bitvelocity::sink::AckHandler {
  public:
    void OnAck(std::uint64_t) override { ++acked; }
    void OnFailure(std::uint64_t, const Error& error) override {
        if (!failure) {
            failure = error;
        }
    }
    long acked = 0;
    std::optional<Error> failure;
};

struct Workload {
    std::string topic;
    long bytes = 0;
    int headers = 0;
    long large = -1;
    std::vector<std::pair<std::string, std::string>> ready{};  // keys and values to send instead
};

std::vector<std::pair<std::string, std::string>> ReadMessages(const char* path) {
    std::vector<std::pair<std::string, std::string>> messages;
    std::ifstream file(path != nullptr ? path : "");
    for (std::string line; std::getline(file, line);) {
        if (const auto tab = line.find('\t'); tab != std::string::npos) {
            messages.emplace_back(line.substr(0, tab), line.substr(tab + 1));
        }
    }
    return messages;
}

class Run {
  public:
    Run(Transport& transport, const Workload& workload)
        : transport_(transport), workload_(workload) {}

    void Send(long count) {
        for (long number = 0; number < count; ++number) {
            Compose(number);
            for (;;) {
                auto sent = transport_.Send(message_);
                if (!sent.ok()) {
                    Fail(sent.error());
                }
                if (*sent == SendResult::kQueued) {
                    break;
                }
                ++full_;
                Wait(1000);
            }
            if (number % kMessagesPerPoll == 0) {
                Poll();
            }
        }
        while (counter_.acked < count) {
            transport_.Flush();
            Wait(10);
        }
    }
    [[nodiscard]] long full() const { return full_; }

  private:
    void Compose(long number) {
        message_.destination = workload_.topic;
        message_.has_key = true;
        message_.tag = static_cast<std::uint64_t>(number);
        if (!workload_.ready.empty()) {
            const auto& [key, value] =
                workload_.ready[static_cast<std::size_t>(number) % workload_.ready.size()];
            message_.key = key;
            message_.value = value;
            return;
        }
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        char text[256];
        key_ = std::to_string(number % kKeys);
        value_.assign(
            text, std::snprintf(text, sizeof(text),
                                R"({"number":%ld,"customer_id":%llu,"status":"shipped",)"
                                R"("total_amount":%llu.%02llu,"note":")",
                                number, random_ % 100000, random_ % 977, (random_ >> 20) % 100));
        const long bytes = number == workload_.large ? 5000 : workload_.bytes;
        while (static_cast<long>(value_.size()) < bytes - 2) {
            value_ += static_cast<char>('a' + (random_ >> (value_.size() % 50)) % 16);
            value_ += "abcdefghijk";
        }
        value_ += "\"}";
        headers_.assign(workload_.headers,
                        Header{"identity", "1:0/16B3748:742:3:0:7301234567890123456.16384:shop"});
        message_.key = key_;
        message_.value = value_;
        message_.headers = headers_;
    }

    // The descriptor tells of a first acknowledgement, not of those that were left.
    void Wait(int milliseconds) {
        const long before = counter_.acked;
        Poll();
        if (counter_.acked == before) {
            pollfd descriptor{transport_.wake_fd(), POLLIN, 0};
            poll(&descriptor, 1, milliseconds);
        }
    }

    void Poll() {
        if (Status status = transport_.Poll(counter_); !status.ok()) {
            Fail(status.error());
        }
        if (counter_.failure) {
            const auto end = Clock::now() + std::chrono::seconds(1);
            while (Clock::now() < end) {
                pollfd descriptor{transport_.wake_fd(), POLLIN, 0};
                poll(&descriptor, 1, 50);
                transport_.Flush();
                (void)transport_.Poll(counter_);
            }
            Fail(*counter_.failure);
        }
        const bitvelocity::sink::Health health = transport_.health();
        if (health.reachable != reachable_) {
            reachable_ = health.reachable;
            std::fprintf(stderr, "%s %s\n", reachable_ ? "reachable" : "unreachable",
                         health.last_error.c_str());
        }
        if (const auto now = Clock::now(); now - reported_ > std::chrono::milliseconds(100)) {
            reported_ = now;
            std::fprintf(stderr, "acknowledged %ld\n", counter_.acked);
        }
    }

    Transport& transport_;
    Workload workload_;
    Counter counter_;
    long full_ = 0;
    bool reachable_ = true;
    Clock::time_point reported_{};
    unsigned long long random_ = 88172645463325252ULL;
    std::string key_;
    std::string value_;
    std::vector<Header> headers_;
    OutgoingMessage message_;
};

double Cpu(int who) {
    rusage usage{};
    getrusage(who, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void Measure(Transport& transport, const Workload& workload, long count) {
    Run run(transport, workload);
    const double cpu = Cpu(RUSAGE_SELF);
    const double main_cpu = Cpu(RUSAGE_THREAD);
    const auto start = Clock::now();
    run.Send(count);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const auto messages = static_cast<double>(count);
    std::printf("figure transport_messages_per_s %.0f 1/s\n", messages / seconds);
    std::printf("figure transport_cpu_per_message %.3f us\n",
                (Cpu(RUSAGE_SELF) - cpu) * 1e6 / messages);
    std::printf("figure transport_main_thread_cpu_per_message %.3f us\n",
                (Cpu(RUSAGE_THREAD) - main_cpu) * 1e6 / messages);
    std::printf("figure transport_full %ld waits\n", run.full());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 7) {
        std::fprintf(stderr, "usage: produce LIBRARY TOPIC COUNT BYTES HEADERS name=value ...\n");
        return 2;
    }
    void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    void* entry = library != nullptr ? dlsym(library, bitvelocity::sink::kKafkaFactory) : nullptr;
    if (entry == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    const char* large = std::getenv("LARGE");
    const Workload workload{argv[2], std::atol(argv[4]), std::atoi(argv[5]),
                            large != nullptr ? std::atol(large) : -1,
                            ReadMessages(std::getenv("MESSAGES"))};
    TransportOptions options;
    options.client_id = "bitvelocity-test";
    for (int i = 6; i < argc; ++i) {
        const std::string_view property = argv[i];
        const auto equals = property.find('=');
        options.properties.emplace_back(property.substr(0, equals), property.substr(equals + 1));
    }
    Error error;
    std::unique_ptr<Transport> transport(
        reinterpret_cast<TransportFactory>(entry)(&options, &error));
    if (transport == nullptr) {
        Fail(error);
    }
    if (const char* warmup = std::getenv("WARMUP"); warmup != nullptr) {
        Run(*transport, workload).Send(std::atol(warmup));
    }
    Measure(*transport, workload, std::atol(argv[3]));
    return 0;
}
