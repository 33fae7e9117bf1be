// Rows per second of parse + encode on one core, for an eight-column order, without server or
// broker.
//
// One recording of 1,000-row transactions is replayed; each format is run several times, the median
// counts. A second is one of this thread's processor time, so that a busy machine does not count as
// slow code. Prints one line per figure: figure NAME VALUE UNIT.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "core/oids.hpp"
#include "format/encoder.hpp"
#include "wal/frame.hpp"
#include "wal/parser.hpp"

namespace {

using bitvelocity::core::Lsn;
using bitvelocity::wal::AppendFrame;

constexpr int kTransactions = 200;
constexpr int kRowsPerTransaction = 1000;
constexpr int kRuns = 7;

void PutInt(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(value >> shift));
    }
}

void PutText(std::string& out, const char* text) {
    out.append(text);
    out.push_back('\0');
}

void PutValue(std::string& out, const std::string& text) {
    out.push_back('t');
    PutInt(out, text.size(), 4);
    out.append(text);
}

std::string Relation() {
    using namespace bitvelocity::core;
    struct Column {
        const char* name;
        Oid type;
        std::int32_t typmod;
    };
    const Column columns[] = {
        {"order_id", kInt8Oid, -1},
        {"customer_id", kUuidOid, -1},
        {"status", kTextOid, -1},
        {"total_amount", kNumericOid, (12 << 16 | 2) + 4},
        {"quantity", kInt4Oid, -1},
        {"created_at", kTimestamptzOid, -1},
        {"updated_at", kTimestamptzOid, -1},
        {"note", kTextOid, -1},
    };
    std::string out("R");
    PutInt(out, 16385, 4);
    PutText(out, "public");
    PutText(out, "orders");
    out.push_back('d');
    PutInt(out, std::size(columns), 2);
    for (const Column& column : columns) {
        out.push_back(&column == columns ? 1 : 0);
        PutText(out, column.name);
        PutInt(out, column.type, 4);
        PutInt(out, static_cast<std::uint32_t>(column.typmod), 4);
    }
    return out;
}

std::string Insert(int row) {
    std::string out("I");
    PutInt(out, 16385, 4);
    out.push_back('N');
    PutInt(out, 8, 2);
    char buffer[64];
    PutValue(out, std::to_string(1'000'000 + row));
    std::snprintf(buffer, sizeof(buffer), "550e8400-e29b-41d4-a716-%012x", row);
    PutValue(out, buffer);
    PutValue(out, row % 3 == 0 ? "CONFIRMED" : "PENDING");
    std::snprintf(buffer, sizeof(buffer), "%d.%02d", row % 5000, row % 100);
    PutValue(out, buffer);
    PutValue(out, std::to_string(row % 40));
    PutValue(out, "2024-01-15 10:30:00.123456+00");
    PutValue(out, "2024-01-15 10:35:00.5+00");
    PutValue(out, "leave at the back door, please");
    return out;
}

std::string Recording() {
    std::string batch;
    std::uint64_t lsn = 0x16'0000'0000;
    bool described = false;
    for (int transaction = 0; transaction < kTransactions; ++transaction) {
        const std::uint64_t commit = lsn + 200'000;
        std::string begin("B");
        PutInt(begin, commit, 8);
        PutInt(begin, 758'000'000'000'000 + lsn % 1'000'000, 8);
        PutInt(begin, static_cast<std::uint64_t>(700 + transaction), 4);
        AppendFrame(batch, Lsn{lsn}, begin);
        if (!described) {
            AppendFrame(batch, Lsn{lsn}, Relation());
            described = true;
        }
        for (int row = 0; row < kRowsPerTransaction; ++row) {
            lsn += 190;
            AppendFrame(batch, Lsn{lsn}, Insert(transaction * kRowsPerTransaction + row));
        }
        lsn = commit + 48;
        std::string end("C");
        PutInt(end, 0, 1);
        PutInt(end, commit, 8);
        PutInt(end, lsn, 8);
        PutInt(end, 758'000'000'000'000, 8);
        AppendFrame(batch, Lsn{lsn}, end);
    }
    return batch;
}

struct Counter final : bitvelocity::wal::Handler, bitvelocity::format::MessageHandler {
    bitvelocity::format::Encoder* encoder = nullptr;
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;

    bitvelocity::core::Status OnBegin(const bitvelocity::core::Transaction&) override { return {}; }
    bitvelocity::core::Status OnCommit(const bitvelocity::core::Transaction&) override {
        return {};
    }
    bitvelocity::core::Status OnProgress(Lsn) override { return {}; }
    bitvelocity::core::Status OnChange(const bitvelocity::core::Change& change) override {
        ++rows;
        return encoder == nullptr ? bitvelocity::core::Status::Ok()
                                  : encoder->Encode(change, *this);
    }
    bitvelocity::core::Status OnMessage(const bitvelocity::format::Message& message) override {
        bytes += message.key.size() + message.value.size();
        return {};
    }
};

double CpuSeconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

bool Run(const std::string& recording, const char* figure, const char* format,
         const char* options) {
    std::vector<double> rates;
    std::uint64_t bytes_per_row = 0;
    for (int run = 0; run < kRuns; ++run) {
        Counter counter;
        bitvelocity::core::Source source{7'312'345'678'901'234'567ULL, 16384, "shop", "orders", 1};
        std::unique_ptr<bitvelocity::format::Encoder> encoder;
        if (format != nullptr) {
            auto made = bitvelocity::format::MakeEncoder({format, options, source});
            if (!made.ok()) {
                std::fprintf(stderr, "%s\n", made.error().message.c_str());
                return false;
            }
            encoder = std::move(made.value());
            counter.encoder = encoder.get();
        }
        bitvelocity::wal::Parser parser({.source = source, .context_secret = {}}, counter);
        const double start = CpuSeconds();
        bitvelocity::wal::FrameReader reader(std::as_bytes(std::span(recording)));
        bitvelocity::wal::Frame frame;
        while (reader.Next(frame)) {
            if (const auto status = parser.ParseFrame(frame); !status.ok()) {
                std::fprintf(stderr, "%s\n", status.error().message.c_str());
                return false;
            }
        }
        rates.push_back(static_cast<double>(counter.rows) / (CpuSeconds() - start));
        bytes_per_row = counter.bytes / counter.rows;
    }
    std::sort(rates.begin(), rates.end());
    std::printf("%s: key and value %llu bytes a row\n", figure,
                static_cast<unsigned long long>(bytes_per_row));
    std::printf("figure %s %.0f rows/s\n", figure, rates[rates.size() / 2]);
    return true;
}

}  // namespace

int main() {
    const std::string recording = Recording();
    const bool ok =
        Run(recording, "parse_rows_per_s", nullptr, "{}") &&
        Run(recording, "parse_event_rows_per_s", "event", R"({"event.schema": "none"})") &&
        Run(recording, "parse_event_schema_rows_per_s", "event", "{}") &&
        Run(recording, "parse_flat_rows_per_s", "flat", "{}") &&
        Run(recording, "parse_debezium_rows_per_s", "debezium", "{}") &&
        Run(recording, "parse_debezium_schemas_rows_per_s", "debezium",
            R"({"debezium.schemas": true})");
    return ok ? 0 : 1;
}
