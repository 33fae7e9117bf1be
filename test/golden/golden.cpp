// The golden tool: recorded streams (NAME.frames) and the messages they must become.
//
//   golden check DIR     compares every NAME.frames with NAME.FORMAT.txt beside it, and its
//   inserted
//                        rows with NAME.rows, what to_jsonb said of them on the server
//   golden write DIR     writes the NAME.FORMAT.txt files anew (look at the difference, then
//   commit) golden frames FILE   reads lines `LSN HEX` and writes them as frames (used by `record`)
//
// A line of an expected file is part, key, value and headers, separated by tabs. What depends on
// the clock (ts_* of Debezium's envelope) is masked. Avro's keys and values are in hexadecimal; a
// line `schema` with id, record and schema stands before the first message that needs it.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "format/avro/schema_ids.hpp"
#include "format/encoder.hpp"
#include "wal/frame.hpp"
#include "wal/parser.hpp"

namespace {

namespace fs = std::filesystem;
using namespace bitvelocity;

// The secret of the recorded context messages.
constexpr char kSecret[] = "golden";

struct Variant {
    const char* file;
    const char* format;
    const char* options;
};
constexpr Variant kVariants[] = {
    {"event", "event", "{}"},
    {"flat", "flat", "{}"},
    {"debezium", "debezium", R"({"debezium.topic_prefix": "golden"})"},
    {"cloudevents", "cloudevents", "{}"},
    {"cloudevents-binary", "cloudevents",
     R"({"cloudevents.mode": "binary", "cloudevents.data": "row"})"},
    {"avro", "avro", "{}"},
    {"avro-flat", "avro", R"({"avro.shape": "flat"})"},
    {"debezium-schemas", "debezium",
     R"({"debezium.topic_prefix": "golden", "debezium.schemas": true})"},
};

core::Source GoldenSource() {
    return {.system_identifier = 7'312'345'678'901'234'567ULL,
            .database_oid = 16384,
            .database = "golden",
            .stream = "golden",
            .epoch = 1};
}

std::string ReadFile(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::string Hex(std::string_view bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
        out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
    }
    return out;
}

class Encoding final : public wal::Handler,
                       public format::MessageHandler,
                       public format::avro::SchemaIds {
  public:
    explicit Encoding(const Variant& variant) {
        auto made = format::MakeEncoder({variant.format, variant.options, GoldenSource(), this});
        binary_ = std::string(variant.format) == "avro";
        encoder_ = std::move(made.value());
    }
    core::Status OnBegin(const core::Transaction&) override { return {}; }
    core::Status OnCommit(const core::Transaction&) override { return {}; }
    core::Status OnProgress(core::Lsn) override { return {}; }
    core::Status OnChange(const core::Change& change) override {
        insert_ = change.operation == core::Operation::kInsert;
        core::Status status = encoder_->Encode(change, *this);
        if (!status.ok()) {
            text += "error " + status.error().sqlstate + " " + status.error().message + "\n";
        }
        return {};
    }
    core::Result<std::uint32_t> Find(const format::avro::SchemaRequest& request) override {
        text += "schema\t" + std::to_string(++schemas_) + "\t" + std::string(request.record) +
                "\t" + std::string(request.schema) + "\n";
        return schemas_;
    }
    core::Status OnMessage(const format::Message& message) override {
        const auto shown = [this](std::string_view bytes) {
            return binary_ ? Hex(bytes) : std::string(bytes);
        };
        const std::string value = message.has_value ? shown(message.value) : "null";
        text += std::to_string(message.part) + "\t" +
                (message.has_key ? shown(message.key) : "null") + "\t" + value;
        for (const format::MessageHeader& header : message.headers) {
            text += "\t" + std::string(header.name) + "\t" + std::string(header.value);
        }
        // A message without headers ends with the two empty columns of one.
        text += message.headers.empty() ? "\t\t\n" : "\n";
        if (insert_) {
            inserted.push_back(value);
        }
        return {};
    }

    std::string text;
    std::vector<std::string> inserted;

  private:
    std::unique_ptr<format::Encoder> encoder_;
    bool insert_ = false;
    bool binary_ = false;
    std::uint32_t schemas_ = 0;
};

// The times that follow the envelope's "op".
void MaskClock(std::string& text) {
    for (std::size_t op = text.find("\"op\":"); op != std::string::npos;
         op = text.find("\"op\":", op + 1)) {
        for (const char* member : {"\"ts_ms\":", "\"ts_us\":", "\"ts_ns\":"}) {
            const std::size_t at = text.find(member, op) + std::string(member).size();
            text.replace(at, text.find_first_not_of("0123456789", at) - at, "0");
        }
    }
}

// Runs a recording through parser and encoder.
Encoding Replay(const std::string& frames, const Variant& variant) {
    Encoding encoding(variant);
    wal::Parser parser({.source = GoldenSource(), .context_secret = kSecret, .messages = true},
                       encoding);
    wal::FrameReader reader(std::as_bytes(std::span(frames)));
    wal::Frame frame;
    while (reader.Next(frame)) {
        if (const core::Status status = parser.ParseFrame(frame); !status.ok()) {
            encoding.text +=
                "parser " + status.error().message + " " + status.error().detail + "\n";
            break;
        }
    }
    if (reader.broken()) {
        encoding.text += "broken frame\n";
    }
    MaskClock(encoding.text);
    return encoding;
}

bool SameRows(const fs::path& path, const std::vector<std::string>& inserted) {
    std::ifstream in(path);
    std::string line;
    std::size_t i = 0;
    bool same = true;
    for (; std::getline(in, line); ++i) {
        if (i >= inserted.size() ||
            nlohmann::json::parse(line) != nlohmann::json::parse(inserted[i])) {
            std::cout << path.filename().string() << ":" << i + 1 << ": to_jsonb says\n  " << line
                      << "\nencoded\n  " << (i < inserted.size() ? inserted[i] : "nothing") << "\n";
            same = false;
        }
    }
    return same && i == inserted.size();
}

int Run(const fs::path& directory, bool write) {
    int failures = 0;
    int checked = 0;
    std::vector<fs::path> recordings;
    for (const auto& entry : fs::directory_iterator(directory)) {
        if (entry.path().extension() == ".frames") {
            recordings.push_back(entry.path());
        }
    }
    std::sort(recordings.begin(), recordings.end());
    for (const fs::path& recording : recordings) {
        const std::string frames = ReadFile(recording);
        for (const Variant& variant : kVariants) {
            const Encoding encoding = Replay(frames, variant);
            fs::path expected = recording;
            expected.replace_extension(std::string(variant.file) + ".txt");
            if (write) {
                std::ofstream(expected, std::ios::binary) << encoding.text;
            }
            const bool same = ReadFile(expected) == encoding.text;
            std::cout << (same ? "ok " : "ng ") << expected.filename().string() << "\n";
            failures += same ? 0 : 1;
            ++checked;
            fs::path rows = recording;
            rows.replace_extension("rows");
            if (std::string(variant.file) == "flat" && fs::exists(rows)) {
                const bool equal = SameRows(rows, encoding.inserted);
                std::cout << (equal ? "ok " : "ng ") << rows.filename().string() << "\n";
                failures += equal ? 0 : 1;
                ++checked;
            }
        }
    }
    std::cout << checked - failures << " passed, " << failures << " failed\n";
    return failures == 0 && checked > 0 ? 0 : 1;
}

int WriteFrames(const fs::path& path) {
    std::string out;
    std::string lsn_text;
    std::string hex;
    while (std::cin >> lsn_text >> hex) {
        const auto lsn = core::ParseLsn(lsn_text);
        if (!lsn || hex.size() % 2 != 0) {
            std::cerr << "malformed line: " << lsn_text << "\n";
            return 1;
        }
        std::string bytes;
        for (std::size_t i = 0; i < hex.size(); i += 2) {
            bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
        }
        wal::AppendFrame(out, *lsn, bytes);
    }
    std::ofstream(path, std::ios::binary) << out;
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc == 3 ? argv[1] : "";
    if (mode == "check" || mode == "write") {
        return Run(argv[2], mode == "write");
    }
    if (mode == "frames") {
        return WriteFrames(argv[2]);
    }
    std::cerr << "usage: golden check|write DIR | golden frames FILE\n";
    return 2;
}
