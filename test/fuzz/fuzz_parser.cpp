// Any bytes as a batch of frames: the parser may refuse them, never crash, and keeps its promises.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "wal/frame.hpp"
#include "wal/parser.hpp"

namespace {

using namespace bitvelocity;

void Require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

class Checker final : public wal::Handler {
  public:
    core::Status OnBegin(const core::Transaction& transaction) override {
        Require(!open_ && !transaction.end_lsn.valid());
        open_ = true;
        ordinal_ = 0;
        return {};
    }
    core::Status OnCommit(const core::Transaction& transaction) override {
        Require(open_ && transaction.end_lsn.valid());
        open_ = false;
        return {};
    }
    core::Status OnProgress(core::Lsn) override {
        Require(!open_);
        return {};
    }
    core::Status OnChange(const core::Change& change) override {
        Require(open_ == change.transactional);
        Require((change.relation == nullptr) == (change.operation == core::Operation::kMessage));
        if (open_) {
            Require(change.identity.ordinal > ordinal_ ||
                    (change.identity.ordinal == ordinal_ && change.identity.part > part_));
            ordinal_ = change.identity.ordinal;
            part_ = change.identity.part;
        }
        if (change.relation != nullptr) {
            const std::size_t width = change.relation->columns.size();
            Require(change.before.empty() || change.before.size() == width);
            Require(change.after.empty() || change.after.size() == width);
            Require(change.relation->schema != "bitvelocity");
        }
        for (const core::Tuple tuple : {change.before, change.after}) {
            for (const core::Value& value : tuple) {
                for (const char c : value.text) {  // every byte is readable
                    sum_ += static_cast<unsigned char>(c);
                }
            }
        }
        return {};
    }

    std::uint64_t sum_ = 0;

  private:
    bool open_ = false;
    std::uint64_t ordinal_ = 0;
    std::uint32_t part_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Checker checker;
    wal::Parser parser({.source = {}, .context_secret = "golden", .messages = true}, checker);
    wal::FrameReader reader(std::as_bytes(std::span(data, size)));
    wal::Frame frame;
    while (reader.Next(frame)) {
        // Goes on behind an error: whatever state the parser is in has to be a safe one.
        if (const core::Status status = parser.ParseFrame(frame); !status.ok()) {
            Require(status.error().sqlstate == core::kProtocolViolation);
        }
    }
    return 0;
}
