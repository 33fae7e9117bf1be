#include "sink/memory.hpp"

#include <algorithm>
#include <cstring>

namespace bitvelocity::sink {

namespace {

std::uint64_t Mix(std::uint64_t sum, std::uint64_t word) {
    sum = (sum ^ word) * 0x9e3779b97f4a7c15ULL;
    return sum ^ (sum >> 29);
}

std::uint64_t MixText(std::uint64_t sum, std::string_view text) {
    sum = Mix(sum, text.size());
    while (text.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), sizeof(word));
        sum = Mix(sum, word);
        text.remove_prefix(sizeof(word));
    }
    std::uint64_t rest = 0;
    if (!text.empty()) {
        std::memcpy(&rest, text.data(), text.size());
    }
    return Mix(sum, rest);
}

void AddTuple(MemoryTotals& totals, core::Tuple tuple) {
    totals.checksum = Mix(totals.checksum, tuple.size());
    for (const core::Value& value : tuple) {
        totals.checksum = Mix(totals.checksum, static_cast<std::uint64_t>(value.kind));
        if (value.kind == core::ValueKind::kText) {
            totals.bytes += value.text.size();
            totals.checksum = MixText(totals.checksum, value.text);
        }
    }
}

void DescribeTuple(std::string& out, const core::RelationSchema& relation, core::Tuple tuple,
                   bool key_only) {
    out += key_only ? " key {" : " {";
    bool first = true;
    for (std::size_t i = 0; i < tuple.size(); ++i) {
        if (key_only && tuple[i].kind == core::ValueKind::kNull) {
            continue;
        }
        out += first ? "" : ", ";
        first = false;
        out += i < relation.columns.size() ? relation.columns[i].name : "?";
        out += '=';
        switch (tuple[i].kind) {
            case core::ValueKind::kNull:
                out += "NULL";
                break;
            case core::ValueKind::kUnchanged:
                out += "unchanged";
                break;
            case core::ValueKind::kText:
                out += tuple[i].text;
                break;
        }
    }
    out += '}';
}

}  // namespace

core::Status MemorySink::Begin(const core::Transaction&) {
    running_ = committed_;
    changes_.resize(kept_);
    return core::Status::Ok();
}

core::Status MemorySink::Write(const core::Change& change) {
    ++running_.rows;
    running_.checksum = Mix(running_.checksum, static_cast<std::uint64_t>(change.operation));
    if (change.relation != nullptr) {
        running_.checksum = Mix(running_.checksum, change.relation->oid);
    }
    AddTuple(running_, change.before);
    AddTuple(running_, change.after);
    if (change.operation == core::Operation::kMessage) {
        running_.bytes += change.content.size();
        running_.checksum = MixText(running_.checksum, change.prefix);
        running_.checksum = MixText(running_.checksum, change.content);
    }
    if (options_.keep) {
        changes_.push_back(DescribeChange(change));
    }
    return core::Status::Ok();
}

core::Status MemorySink::Commit(const core::Transaction& transaction) {
    ++running_.transactions;
    committed_ = running_;
    kept_ = changes_.size();
    durable_ = std::max(durable_, transaction.end_lsn);
    return core::Status::Ok();
}

core::Status MemorySink::Progress(core::Lsn lsn) {
    durable_ = std::max(durable_, lsn);
    return core::Status::Ok();
}

std::string DescribeChange(const core::Change& change) {
    std::string out(core::OperationName(change.operation));
    if (change.relation == nullptr) {
        out += ' ';
        out += change.prefix;
        out += " {";
        out += change.content;
        out += '}';
        return out;
    }
    out += ' ' + change.relation->schema + '.' + change.relation->name;
    if (!change.before.empty()) {
        DescribeTuple(out, *change.relation, change.before, change.before_is_key);
    }
    if (!change.after.empty()) {
        DescribeTuple(out, *change.relation, change.after, false);
    }
    return out;
}

}  // namespace bitvelocity::sink
