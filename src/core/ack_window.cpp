#include "core/ack_window.hpp"

namespace bitvelocity::core {

std::uint64_t AckWindow::Open() {
    entries_.emplace_back();
    return first_number_ + entries_.size() - 1;
}

void AckWindow::Acked(std::uint64_t number) {
    Entry& entry = entries_[number - first_number_];
    --entry.outstanding;
    --outstanding_;
    if (number == first_number_) {
        Advance();
    }
}

void AckWindow::Close(Lsn end_lsn) {
    entries_.back().end_lsn = end_lsn;
    Advance();
}

void AckWindow::Discard() {
    if (entries_.back().outstanding == 0) {
        entries_.pop_back();
        return;
    }
    // Its number must not be given out again while acknowledgements for it are still to come.
    entries_.back().discarded = true;
}

void AckWindow::Advance() {
    while (!entries_.empty()) {
        const Entry& front = entries_.front();
        if (front.outstanding != 0 || !(front.discarded || front.end_lsn.valid())) {
            return;
        }
        if (!front.discarded) {
            confirmed_ = front.end_lsn;
        }
        entries_.pop_front();
        ++first_number_;
    }
}

}  // namespace bitvelocity::core
