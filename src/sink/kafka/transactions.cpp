#include "sink/kafka/transactions.hpp"

#include <cstdlib>
#include <utility>

#include "sink/kafka/errors.hpp"

namespace bitvelocity::sink::kafka {

namespace {

constexpr int kSliceMs = 100;

}  // namespace

Transactions::Transactions(const TransportOptions& options, rd_kafka_t* producer,
                           const Redactor& redactor)
    : options_(options),
      producer_(producer),
      redactor_(redactor),
      topic_(std::make_unique<ProgressTopic>(options, producer, redactor)) {
    const std::string timeout = Get(rd_kafka_conf(producer), "transaction.timeout.ms");
    if (!timeout.empty()) {
        timeout_ = std::chrono::milliseconds(std::atoi(timeout.c_str()));
    }
}

core::Result<Step> Transactions::Open(std::string* progress) {
    if (state_ == State::kNew) {
        auto opened = Judge(rd_kafka_init_transactions(producer_, kSliceMs),
                            "Kafka transactions cannot be opened");
        if (!opened.ok() || *opened == Step::kPending) {
            return opened;
        }
        state_ = State::kReading;
    }
    if (state_ == State::kReading) {
        auto read = topic_->Read(progress);
        if (!read.ok() || *read == Step::kPending) {
            return read;
        }
        topic_.reset();
        state_ = State::kReady;
    }
    return Step::kDone;
}

core::Status Transactions::BeginIfNeeded() {
    if (state_ == State::kOpen) {
        return core::Status::Ok();
    }
    if (state_ != State::kReady) {
        return core::Status::Fail(core::kInternalError,
                                  "a message was sent outside of the Kafka transactions");
    }
    auto begun = Judge(rd_kafka_begin_transaction(producer_), "a Kafka transaction cannot begin");
    if (!begun.ok()) {
        return begun.TakeStatus();
    }
    began_ = std::chrono::steady_clock::now();
    state_ = State::kOpen;
    return core::Status::Ok();
}

core::Result<Step> Transactions::Commit(const std::string& progress) {
    if (state_ == State::kReady || state_ == State::kOpen) {
        BV_RETURN_IF_ERROR(BeginIfNeeded());
        BV_RETURN_IF_ERROR(ProduceProgress(progress));
        state_ = State::kEnding;
    }
    if (!progress_reported_) {
        return Step::kPending;
    }
    if (progress_error_ != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return core::Status(
            MessageError(progress_error_, {options_.progress_topic, options_.transactional_id, 0}));
    }
    auto ended = Judge(rd_kafka_commit_transaction(producer_, kSliceMs),
                       "a Kafka transaction cannot be committed");
    if (ended.ok() && *ended == Step::kDone) {
        state_ = State::kReady;
    }
    return ended;
}

core::Status Transactions::ProduceProgress(const std::string& progress) {
    progress_reported_ = false;
    rd_kafka_vu_t arguments[6];
    arguments[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    arguments[0].u.cstr = options_.progress_topic.c_str();
    arguments[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    arguments[1].u.i32 = 0;
    arguments[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    arguments[2].u.i = RD_KAFKA_MSG_F_COPY;
    arguments[3].vtype = RD_KAFKA_VTYPE_VALUE;
    arguments[3].u.mem.ptr = const_cast<char*>(progress.data());
    arguments[3].u.mem.size = progress.size();
    arguments[4].vtype = RD_KAFKA_VTYPE_KEY;
    arguments[4].u.mem.ptr = options_.transactional_id.data();
    arguments[4].u.mem.size = options_.transactional_id.size();
    arguments[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
    arguments[5].u.ptr = ProgressOpaque();
    auto produced = Judge(rd_kafka_produceva(producer_, arguments, std::size(arguments)),
                          "the progress of the stream cannot be sent");
    return produced.ok() ? core::Status::Ok() : produced.TakeStatus();
}

void Transactions::OnProgressReport(rd_kafka_resp_err_t code) {
    progress_reported_ = true;
    progress_error_ = code;
}

// Destroys the error.
core::Result<Step> Transactions::Judge(rd_kafka_error_t* error, const char* what) {
    if (error == nullptr) {
        return Step::kDone;
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    const bool retriable = rd_kafka_error_is_retriable(error) != 0;
    const std::string text =
        redactor_.Clean(rd_kafka_error_string(error)) + " (" + rd_kafka_err2name(code) + ").";
    rd_kafka_error_destroy(error);
    if (retriable) {
        return Step::kPending;
    }
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(producer_, nullptr, 0);
    if (Fenced(fatal != RD_KAFKA_RESP_ERR_NO_ERROR ? fatal : code)) {
        return FencedError(text);
    }
    const core::Error meaning = MessageError(code, {options_.progress_topic, {}, 0});
    return core::Status::Fail(meaning.sqlstate, what, text,
                              "The stream starts again with a new producer; what the transaction "
                              "held is sent again.");
}

bool Transactions::Fenced(rd_kafka_resp_err_t code) const {
    if (code != RD_KAFKA_RESP_ERR__FENCED && code != RD_KAFKA_RESP_ERR_PRODUCER_FENCED &&
        code != RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH) {
        return false;
    }
    // The coordinator shuts a producer out, too, when its transaction has taken too long.
    const bool in_transaction = state_ == State::kOpen || state_ == State::kEnding;
    return !in_transaction || std::chrono::steady_clock::now() - began_ < timeout_;
}

core::Status Transactions::FencedError(const std::string& detail) const {
    return core::Status::Fail(
        sink::kTakenOver, "another process has taken over the Kafka transactions of this stream",
        "Its transactional id is \"" + options_.transactional_id + "\": " + detail,
        "A copy of this server publishes the same stream. Stop one of the two, then run "
        "resume_stream.");
}

}  // namespace bitvelocity::sink::kafka
