#include "format/debezium/encoder.hpp"

#include <charconv>
#include <chrono>
#include <limits>
#include <string>
#include <utility>

#include "format/debezium/plan.hpp"
#include "format/json_writer.hpp"
#include "format/row_plan.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format::debezium {

namespace {

constexpr char kEnvelopeVersion[] = "3.4.0.Final";
constexpr char kNewKeyHeader[] = "__debezium.newkey";
constexpr char kOldKeyHeader[] = "__debezium.oldkey";
// Events of a transaction that share one look at the clock: in a backlog, where it costs as much as
// a column, they are some ten microseconds apart.
constexpr int kEventsPerLook = 16;

std::int64_t NowUs() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// The digits of numbers of which each is little more than the one before: but for the last four
// they are mostly the same.
class RisingNumber {
  public:
    // Valid until the next call.
    std::string_view Text(std::uint64_t value) {
        const std::uint64_t front = value / kStep;
        if (front == 0) {
            front_ = 0;
            return {text_,
                    static_cast<std::size_t>(std::to_chars(text_, end(), value).ptr - text_)};
        }
        if (front != front_) {
            front_ = front;
            size_ = static_cast<std::size_t>(std::to_chars(text_, end(), front).ptr - text_);
        }
        auto back = static_cast<unsigned>(value % kStep);
        for (std::size_t place = size_ + 4; place-- > size_; back /= 10) {
            text_[place] = static_cast<char>('0' + back % 10);
        }
        return {text_, size_ + 4};
    }

  private:
    static constexpr std::uint64_t kStep = 10'000;
    char* end() { return text_ + sizeof(text_); }

    char text_[24];
    std::size_t size_ = 0;     // of the digits of front_
    std::uint64_t front_ = 0;  // 0: text_ holds none
};

// A time in milliseconds, microseconds and nanoseconds.
class Times {
  public:
    Times(RisingNumber& digits, std::int64_t unix_us) : us_(unix_us) {
        if (unix_us >= kLeast && unix_us <= kMost) {
            text_ = digits.Text(static_cast<std::uint64_t>(unix_us));
        }
    }
    void WriteMs(JsonWriter& out) const {
        if (text_.empty()) {
            out.Number(us_ / 1000);
        } else {
            out.Raw(text_.substr(0, text_.size() - 3));
        }
    }
    // ts_us and ts_ns, the latter at most what has room.
    void WriteFiner(JsonWriter& out) const {
        out.Raw(",\"ts_us\":");
        if (!text_.empty()) {
            out.Raw(text_);
            out.Raw(",\"ts_ns\":");
            out.Raw(text_);
            out.Raw("000");
            return;
        }
        std::int64_t nanos = 0;
        if (__builtin_mul_overflow(us_, 1000, &nanos)) {
            nanos = us_ < 0 ? std::numeric_limits<std::int64_t>::min()
                            : std::numeric_limits<std::int64_t>::max();
        }
        out.Number(us_);
        out.Raw(",\"ts_ns\":");
        out.Number(nanos);
    }

  private:
    static constexpr std::int64_t kLeast = 1000;
    static constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 1000;

    std::int64_t us_;
    std::string_view text_;  // empty: not of the plain kind
};

class DebeziumEncoder final : public Encoder {
  public:
    DebeziumEncoder(const DebeziumOptions& options, const core::Source& source, core::Lsn start);

    core::Status Encode(const core::Change& change, MessageHandler& handler) override;
    // Behind a message outside a transaction, Encode has said already where it is.
    void Commit(core::Lsn end) override {
        if (!std::exchange(alone_, false)) {
            last_commit_ = end;
        }
    }

  private:
    core::Status EncodeRow(const core::Change& change, const Plan& plan, MessageHandler& handler);
    core::Status EncodeKeyChange(const core::Change& change, const Plan& plan,
                                 MessageHandler& handler);
    core::Status EncodeMessage(const core::Change& change, MessageHandler& handler);
    // Sends `value` (null: a tombstone) under `key` (null: none).
    core::Status Send(const core::Change& change, std::uint32_t part, const JsonWriter* key,
                      const JsonWriter* value, MessageHandler& handler,
                      std::string_view header = {}, std::string_view header_value = {});
    // Whether what was written so far can be sent.
    [[nodiscard]] core::Status Check(const core::Change& change) const;

    void WriteKey(JsonWriter& out, const Plan& plan, core::Tuple row);
    // A key as a header: without its schema. `key` is what WriteKey made of the row.
    static std::string_view KeyHeader(JsonWriter& out, const Plan& plan, core::Tuple row,
                                      const JsonWriter& key);
    void WriteEnvelope(JsonWriter& out, const core::Change& change, const Plan& plan, char op,
                       core::Tuple before, core::Tuple after);
    void WriteRow(JsonWriter& out, const Plan& plan, core::Tuple row, bool key_only = false);
    void WriteColumn(JsonWriter& out, const ColumnPlan& column, const core::Value& value);
    void WriteSource(JsonWriter& out, const core::Change& change, std::string_view source_end);
    // `second`: the event behind another one of the same change.
    static void WriteTransaction(JsonWriter& out, const core::Change& change, bool second);
    // What stands behind the source block; the same bytes for events that need no more.
    void WriteEnd(JsonWriter& out, const core::Change& change, char op, bool second);

    // What the source blocks of a transaction have in common, kept as bytes.
    void EnterTransaction(const core::Change& change);

    DebeziumOptions options_;
    std::string source_head_;  // `"source":{"version":...,"ts_ms":`
    std::string database_;     // `,"db":"shop","sequence":"[`
    RelationCache<Plan> plans_;
    MessagePlan message_plan_;

    core::Lsn last_commit_;  // the end of the transaction before; invalid: unknown
    bool alone_ = false;     // it was a message outside a transaction
    core::Lsn entered_commit_;
    core::Lsn entered_last_;
    std::int64_t entered_time_us_ = 0;
    std::int64_t last_time_us_ = 0;  // a message outside a transaction has the time before it
    std::uint32_t entered_xid_ = 0;
    bool entered_read_ = false;
    JsonWriter source_start_;   // up to the change's LSN in `sequence`
    JsonWriter source_middle_;  // from there to the table's names
    JsonWriter source_xid_;
    RisingNumber lsn_;
    RisingNumber source_last_;
    RisingNumber source_time_;
    RisingNumber end_time_;
    JsonWriter end_;
    char end_op_ = '\0';
    int end_events_ = kEventsPerLook;  // that had it

    JsonWriter key_;
    JsonWriter old_key_;
    JsonWriter value_;
    JsonWriter old_value_;
    JsonWriter header_;
    JsonWriter old_header_;
};

DebeziumEncoder::DebeziumEncoder(const DebeziumOptions& options, const core::Source& source,
                                 core::Lsn start)
    : options_(options), message_plan_(MakeMessagePlan(options)), last_commit_(start) {
    JsonWriter out;
    out.Raw("\"source\":{\"version\":");
    out.String(kEnvelopeVersion);
    out.Raw(",\"connector\":\"postgresql\",\"name\":");
    out.String(options.name);
    out.Raw(",\"ts_ms\":");
    source_head_ = out.view();
    out.Clear();
    out.Raw(",\"db\":");
    out.String(source.database);
    out.Raw(",\"sequence\":\"[");
    database_ = out.view();
}

core::Status DebeziumEncoder::Encode(const core::Change& change, MessageHandler& handler) {
    key_.Clear();
    old_key_.Clear();
    value_.Clear();
    old_value_.Clear();
    if (change.operation == core::Operation::kMessage) {
        return EncodeMessage(change, handler);
    }
    const Plan& plan = plans_.Get(*change.relation, [this](const core::RelationSchema& relation) {
        return MakePlan(relation, options_);
    });
    if (!plan.names_valid) {
        return InvalidEncoding(change);
    }
    return KeyChanged(plan.key, change) ? EncodeKeyChange(change, plan, handler)
                                        : EncodeRow(change, plan, handler);
}

core::Status DebeziumEncoder::EncodeRow(const core::Change& change, const Plan& plan,
                                        MessageHandler& handler) {
    const core::Tuple row = change.after.empty() ? change.before : change.after;
    const bool keyed = !plan.key.empty() && !row.empty();
    if (keyed) {
        WriteKey(key_, plan, row);
    }
    WriteEnvelope(value_, change, plan, static_cast<char>(change.operation), change.before,
                  change.after);
    BV_RETURN_IF_ERROR(Check(change));
    const JsonWriter* key = keyed ? &key_ : nullptr;
    BV_RETURN_IF_ERROR(Send(change, 0, key, &value_, handler));
    if (change.operation == core::Operation::kDelete && options_.tombstones) {
        return Send(change, 1, key, nullptr, handler);
    }
    return core::Status::Ok();
}

core::Status DebeziumEncoder::EncodeKeyChange(const core::Change& change, const Plan& plan,
                                              MessageHandler& handler) {
    WriteKey(old_key_, plan, change.before);
    WriteKey(key_, plan, change.after);
    WriteEnvelope(old_value_, change, plan, 'd', change.before, {});
    WriteEnvelope(value_, change, plan, 'c', {}, change.after);
    BV_RETURN_IF_ERROR(Check(change));  // before the first one: all of them or none
    std::uint32_t part = 0;
    const std::string_view was = KeyHeader(old_header_, plan, change.before, old_key_);
    const std::string_view is = KeyHeader(header_, plan, change.after, key_);
    BV_RETURN_IF_ERROR(Send(change, part++, &old_key_, &old_value_, handler, kNewKeyHeader, is));
    if (options_.tombstones) {
        BV_RETURN_IF_ERROR(Send(change, part++, &old_key_, nullptr, handler, kNewKeyHeader, is));
    }
    return Send(change, part, &key_, &value_, handler, kOldKeyHeader, was);
}

core::Status DebeziumEncoder::EncodeMessage(const core::Change& change, MessageHandler& handler) {
    if (!change.transactional) {
        last_commit_ = change.lsn;  // it is a commit of its own
        alone_ = true;
    }
    key_.Raw(message_plan_.key_head);
    key_.Raw("{\"prefix\":");
    key_.String(change.prefix);
    key_.Raw(message_plan_.end);
    value_.Raw(message_plan_.value_head);
    value_.Raw("{\"op\":\"m\",\"ts_ms\":");
    value_.Number(NowUs() / 1000);
    value_.Raw(',');
    WriteSource(value_, change, ",\"schema\":\"\",\"table\":\"\",\"txId\":");
    value_.Raw(",\"transaction\":null,\"message\":{\"prefix\":");
    value_.String(change.prefix);
    value_.Raw(",\"content\":");
    WriteValue(value_, message_plan_.content, change.content);
    value_.Raw('}');
    value_.Raw(message_plan_.end);
    BV_RETURN_IF_ERROR(Check(change));
    return Send(change, 0, &key_, &value_, handler);
}

core::Status DebeziumEncoder::Check(const core::Change& change) const {
    if (key_.invalid_utf8() || old_key_.invalid_utf8() || value_.invalid_utf8() ||
        old_value_.invalid_utf8()) {
        return InvalidEncoding(change);
    }
    return core::Status::Ok();
}

core::Status DebeziumEncoder::Send(const core::Change& change, std::uint32_t part,
                                   const JsonWriter* key, const JsonWriter* value,
                                   MessageHandler& handler, std::string_view header,
                                   std::string_view header_value) {
    Message message;
    MessageHeader moved;
    message.part = change.identity.part + part;
    message.has_key = key != nullptr;
    if (key != nullptr) {
        message.key = key->view();
    }
    message.has_value = value != nullptr;
    if (value != nullptr) {
        message.value = value->view();
    }
    if (!header.empty()) {
        moved = {header, header_value};
        message.headers = {&moved, 1};
    }
    return handler.OnMessage(message);
}

void DebeziumEncoder::WriteKey(JsonWriter& out, const Plan& plan, core::Tuple row) {
    out.Raw(plan.key_head);
    const std::size_t start = out.size();
    for (const std::size_t i : plan.key) {
        out.Raw(plan.columns[i].prefix);
        WriteColumn(out, plan.columns[i], row[i]);
    }
    out.CloseObject(start);
    if (!plan.key_head.empty()) {
        out.Raw('}');
    }
}

std::string_view DebeziumEncoder::KeyHeader(JsonWriter& out, const Plan& plan, core::Tuple row,
                                            const JsonWriter& key) {
    if (plan.header.empty()) {
        const std::size_t end = plan.key_head.empty() ? 0 : 1;
        return key.view().substr(plan.key_head.size(), key.size() - plan.key_head.size() - end);
    }
    out.Clear();
    for (std::size_t i = 0; i < plan.key.size(); ++i) {
        const core::Value& value = row[plan.key[i]];
        out.Raw(plan.columns[plan.key[i]].prefix);
        if (value.kind == core::ValueKind::kText) {
            WriteValue(out, plan.header[i], value.text);
        } else {
            out.Null();
        }
    }
    out.CloseObject(0);
    return out.view();
}

void DebeziumEncoder::WriteEnvelope(JsonWriter& out, const core::Change& change, const Plan& plan,
                                    char op, core::Tuple before, core::Tuple after) {
    out.Raw(plan.value_head);
    out.Raw("{\"before\":");
    WriteRow(out, plan, before, change.before_is_key);
    out.Raw(",\"after\":");
    WriteRow(out, plan, after);
    out.Raw(',');
    WriteSource(out, change, plan.source_end);
    WriteEnd(out, change, op, op == 'c' && change.operation == core::Operation::kUpdate);
    if (!plan.value_head.empty()) {
        out.Raw('}');
    }
}

void DebeziumEncoder::WriteRow(JsonWriter& out, const Plan& plan, core::Tuple row, bool key_only) {
    if (row.empty()) {
        out.Null();
        return;
    }
    const std::size_t start = out.size();
    for (std::size_t i = 0; i < row.size(); ++i) {
        const ColumnPlan& column = plan.columns[i];
        out.Raw(column.prefix);
        if (key_only && !column.identity) {
            out.Raw(column.untold);
        } else {
            WriteColumn(out, column, row[i]);
        }
    }
    out.CloseObject(start);
}

void DebeziumEncoder::WriteColumn(JsonWriter& out, const ColumnPlan& column,
                                  const core::Value& value) {
    switch (value.kind) {
        case core::ValueKind::kText:
            WriteValue(out, column.value, value.text);
            break;
        case core::ValueKind::kNull:
            out.Null();
            break;
        case core::ValueKind::kUnchanged:
            out.Raw(column.value.unavailable);
            break;
    }
}

void DebeziumEncoder::EnterTransaction(const core::Change& change) {
    const bool read = change.operation == core::Operation::kRead;
    if (source_start_.size() != 0 && change.identity.commit_lsn == entered_commit_ &&
        last_commit_ == entered_last_ && change.commit_time_us == entered_time_us_ &&
        change.identity.xid == entered_xid_ && read == entered_read_) [[likely]] {
        return;
    }
    if (change.transactional) {
        last_time_us_ = change.commit_time_us;
    }
    entered_commit_ = change.identity.commit_lsn;
    entered_last_ = last_commit_;
    entered_time_us_ = change.commit_time_us;
    entered_xid_ = change.identity.xid;
    entered_read_ = read;

    JsonWriter& start = source_start_;
    start.Clear();
    start.Raw(source_head_);
    const Times times(source_time_, last_time_us_);
    times.WriteMs(start);
    start.Raw(read ? ",\"snapshot\":\"true\"" : ",\"snapshot\":\"false\"");
    start.Raw(database_);
    if (last_commit_.valid()) {
        start.Raw("\\\"");
        start.Raw(source_last_.Text(last_commit_.value));
        start.Raw("\\\",\\\"");
    } else {
        start.Raw("null,\\\"");
    }
    source_middle_.Clear();
    source_middle_.Raw("\\\"]\"");
    times.WriteFiner(source_middle_);
    source_xid_.Clear();
    if (entered_xid_ == 0) {
        source_xid_.Null();
    } else {
        source_xid_.Number(entered_xid_);
    }
    source_xid_.Raw(",\"lsn\":");
    end_events_ = kEventsPerLook;
}

void DebeziumEncoder::WriteSource(JsonWriter& out, const core::Change& change,
                                  std::string_view source_end) {
    EnterTransaction(change);
    const std::string_view lsn = lsn_.Text(change.lsn.value);
    out.Raw(source_start_.view());
    out.Raw(lsn);
    out.Raw(source_middle_.view());
    out.Raw(source_end);
    out.Raw(source_xid_.view());
    out.Raw(lsn);
    out.Raw(",\"xmin\":null}");
}

void DebeziumEncoder::WriteTransaction(JsonWriter& out, const core::Change& change, bool second) {
    if (change.position == nullptr) {
        out.Raw(",\"transaction\":null");
        return;
    }
    out.Raw(",\"transaction\":{\"id\":");
    out.String(change.position->id);
    out.Raw(",\"total_order\":");
    out.Number(change.position->total_order + (second ? 1 : 0));
    out.Raw(",\"data_collection_order\":");
    out.Number(change.position->table_order + (second ? 1 : 0));
    out.Raw('}');
}

void DebeziumEncoder::WriteEnd(JsonWriter& out, const core::Change& change, char op, bool second) {
    if (end_op_ != op || end_events_ >= kEventsPerLook || change.position != nullptr) {
        const std::int64_t now_us = NowUs();
        end_.Clear();
        WriteTransaction(end_, change, second);
        end_.Raw(",\"op\":\"");
        end_.Raw(op);
        end_.Raw("\",\"ts_ms\":");
        const Times times(end_time_, now_us);
        times.WriteMs(end_);
        times.WriteFiner(end_);
        end_.Raw('}');
        end_op_ = op;
        end_events_ = change.position == nullptr ? 0 : kEventsPerLook;
    }
    ++end_events_;
    out.Raw(end_.view());
}

}  // namespace

std::unique_ptr<Encoder> MakeDebeziumEncoder(const DebeziumOptions& options,
                                             const core::Source& source, core::Lsn start) {
    return std::make_unique<DebeziumEncoder>(options, source, start);
}

}  // namespace bitvelocity::format::debezium
