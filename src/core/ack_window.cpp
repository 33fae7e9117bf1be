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
    outstanding_ -= entries_.back().outstanding;
    entries_.pop_back();
}

void AckWindow::Advance() {
    while (!entries_.empty() && entries_.front().end_lsn.valid() &&
           entries_.front().outstanding == 0) {
        confirmed_ = entries_.front().end_lsn;
        entries_.pop_front();
        ++first_number_;
    }
}

}  // namespace bitvelocity::core
