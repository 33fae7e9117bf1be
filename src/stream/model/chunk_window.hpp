// ChunkWindow: which rows of a chunk are still the newest when its watermark comes by.
//
// A commit is in the WAL before it is visible, with synchronous replication as long before as a
// standby hangs. So a change may be delivered although the chunk, read later, does not contain it;
// the chunk's row would be older than what is delivered already. The rule: a row is dropped if any
// change of its key that was delivered before the watermark, however long before, comes from a
// transaction that the chunk's snapshot does not see. What the snapshot sees is in the row.
// Whatever is delivered after the watermark is newer than the row.
//
// Keys are remembered only as long as that matters: a transaction that one snapshot sees is seen by
// all later ones. Several chunks may be under way: asked for, read, not yet settled at their
// watermarks; each is judged by its own snapshot, so what the oldest of them does not see is kept.
// Precondition: of what was delivered before the first change that is told here, every snapshot
// sees everything. One table; pure; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "stream/model/visibility.hpp"

namespace bitvelocity::stream::model {

enum class Verdict : std::uint8_t {
    kCurrent,  // the row is the newest
    kOld,      // a newer one was delivered, or it was deleted
    kAgain,    // a newer one was delivered, but without the values it left unchanged: read it again
};

class ChunkWindow {
  public:
    // More keys than this are not remembered one by one.
    explicit ChunkWindow(std::size_t limit = 200'000) : limit_(limit) {}

    // What is delivered of the table. `partial`: the row's new version is not complete.
    void ChangedRow(std::uint32_t xid, const std::string& key, bool partial);
    // A row has this key now that had another one before, and is not complete: chunks that come
    // may have neither the old key nor the new one.
    void MovedRow(std::uint32_t xid, const std::string& key);
    void Truncated(std::uint32_t xid);
    // It cannot be told which rows.
    void ChangedUnknown(std::uint32_t xid);

    // The first chunk of the table was read: rows that move may come to where nobody reads again.
    void Begin() { reading_ = true; }
    [[nodiscard]] bool reading() const { return reading_; }
    // Keys are made in another way from now on.
    void ForgetKeys();
    // A chunk was read under this snapshot, of another table while chunks of this one are under
    // way: then it may be newer than theirs, and nothing is forgotten.
    void Open(const Visibility& snapshot);

    // The next chunk is asked for: it will be read, by whoever, under a snapshot that is newer than
    // all that were told here. Chunks settle in the order in which they were asked for.
    void Ask() { under_way_.emplace_back(); }
    // The one that was asked for last was read.
    void Read(const Visibility& snapshot);
    // It was not.
    void Withdraw() { under_way_.pop_back(); }
    // The oldest one is done with.
    void Settle();
    // All are to be asked for again.
    void GiveUp() { under_way_.clear(); }

    // At the watermark of the oldest: nothing of it may be used, because rows changed of which
    // nobody knows which. Read it again once Settled.
    [[nodiscard]] bool Unusable() const { return !unknown_.empty(); }
    // The transactions that a chunk must see to be of use.
    [[nodiscard]] const std::vector<std::uint32_t>& unknown() const { return unknown_; }
    // The snapshot sees what would make a chunk that is read under it unusable.
    [[nodiscard]] bool Settled(const Visibility& snapshot) const;
    [[nodiscard]] Verdict Judge(const std::string& key) const;
    // Keys that have to be read in addition, since the last call.
    std::vector<std::string> TakeMoved();

    [[nodiscard]] std::size_t size() const { return rows_.size(); }

  private:
    struct Row {
        std::uint32_t xid = 0;
        bool partial = false;
    };

    void Forget(const Visibility& snapshot);
    [[nodiscard]] bool Seen(std::uint32_t xid) const {
        return snapshot_.has_value() && snapshot_->Sees(xid);
    }

    std::size_t limit_;
    bool reading_ = false;
    std::deque<std::optional<Visibility>> under_way_;  // nothing: not read yet
    std::optional<Visibility> snapshot_;  // of the oldest chunk that is not settled, or the newest
    // Of transactions that it does not see. One per key is enough: who changes a row has waited
    // for whoever did before to be visible.
    std::unordered_map<std::string, Row> rows_;
    std::vector<std::uint32_t> truncated_;
    std::vector<std::uint32_t> unknown_;
    std::vector<std::pair<std::uint32_t, std::string>> moved_;
};

}  // namespace bitvelocity::stream::model
