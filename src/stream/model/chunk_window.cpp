#include "stream/model/chunk_window.hpp"

#include <algorithm>
#include <utility>

namespace bitvelocity::stream::model {

void ChunkWindow::ChangedRow(std::uint32_t xid, const std::string& key, bool partial) {
    if (Seen(xid)) {
        return;
    }
    const auto found = rows_.find(key);
    if (found != rows_.end()) {
        // What a complete version said is known; an update behind it leaves nothing out.
        found->second = {xid, partial && found->second.partial};
    } else if (rows_.size() < limit_) {
        rows_.emplace(key, Row{xid, partial});
    } else {
        ChangedUnknown(xid);
    }
}

void ChunkWindow::MovedRow(std::uint32_t xid, const std::string& key) {
    ChangedRow(xid, key, true);
    // A complete version that had this key before was another row's.
    const auto found = rows_.find(key);
    if (found != rows_.end()) {
        found->second.partial = true;
    }
    moved_.emplace_back(xid, key);
}

void ChunkWindow::Truncated(std::uint32_t xid) {
    if (!Seen(xid)) {
        truncated_.push_back(xid);
    }
}

void ChunkWindow::ChangedUnknown(std::uint32_t xid) {
    if (!Seen(xid) && (unknown_.empty() || unknown_.back() != xid)) {
        unknown_.push_back(xid);
    }
}

void ChunkWindow::ForgetKeys() {
    for (const auto& [key, row] : rows_) {
        ChangedUnknown(row.xid);
    }
    rows_.clear();
    moved_.clear();
}

void ChunkWindow::Open(const Visibility& snapshot) {
    if (under_way_.empty()) {
        Forget(snapshot);
    }
}

void ChunkWindow::Read(const Visibility& snapshot) {
    under_way_.back() = snapshot;
    if (under_way_.size() == 1) {
        Forget(snapshot);
    }
    Begin();
}

void ChunkWindow::Settle() {
    under_way_.pop_front();
    if (!under_way_.empty() && under_way_.front()) {
        Forget(*under_way_.front());
    }
}

void ChunkWindow::Forget(const Visibility& snapshot) {
    snapshot_ = snapshot;
    std::erase_if(rows_, [this](const auto& row) { return Seen(row.second.xid); });
    std::erase_if(truncated_, [this](std::uint32_t xid) { return Seen(xid); });
    std::erase_if(unknown_, [this](std::uint32_t xid) { return Seen(xid); });
    if (!reading_) {
        std::erase_if(moved_, [this](const auto& moved) { return Seen(moved.first); });
    }
}

bool ChunkWindow::Settled(const Visibility& snapshot) const {
    return std::all_of(unknown_.begin(), unknown_.end(),
                       [&snapshot](std::uint32_t xid) { return snapshot.Sees(xid); });
}

Verdict ChunkWindow::Judge(const std::string& key) const {
    if (!truncated_.empty()) {
        return Verdict::kOld;
    }
    if (rows_.empty()) {
        return Verdict::kCurrent;
    }
    const auto found = rows_.find(key);
    if (found == rows_.end()) {
        return Verdict::kCurrent;
    }
    return found->second.partial ? Verdict::kAgain : Verdict::kOld;
}

std::vector<std::string> ChunkWindow::TakeMoved() {
    std::vector<std::string> keys;
    for (auto& [xid, key] : std::exchange(moved_, {})) {
        keys.push_back(std::move(key));
    }
    return keys;
}

}  // namespace bitvelocity::stream::model
