#include "wal/parser.hpp"

#include <limits>
#include <utility>

#include "wal/byte_reader.hpp"
#include "wal/context_message.hpp"
#include "wal/relations.hpp"
#include "wal/schema_message.hpp"
#include "wal/watermark_message.hpp"

namespace bitvelocity::wal {

namespace {

// PostgreSQL counts from 2000-01-01.
constexpr std::int64_t kPostgresEpochUs = 946'684'800'000'000;

constexpr std::uint8_t kTransactionalFlag = 1;
// Messages of the extension itself.
constexpr std::string_view kOwnPrefix = "bitvelocity.";

core::Status Refuse(const Frame& frame, const char* message) {
    std::string detail = "Message type ";
    if (frame.bytes.empty()) {
        detail += "is missing";
    } else {
        const auto tag = static_cast<unsigned char>(frame.bytes.front());
        detail += tag > 0x20 && tag < 0x7f ? "\"" + std::string(1, static_cast<char>(tag)) + "\""
                                           : "byte " + std::to_string(tag);
    }
    detail += ", " + std::to_string(frame.bytes.size()) + " bytes, at WAL position " +
              core::ToString(frame.lsn) + ".";
    return core::Status::Fail(core::kProtocolViolation, message, std::move(detail));
}

constexpr char kMalformed[] = "malformed logical replication message";
constexpr char kOutside[] = "logical replication message outside a transaction";
constexpr char kUnknownRelation[] = "logical replication message for a relation never described";

}  // namespace

struct Parser::Impl {
    Impl(ParserOptions parser_options, Handler& change_handler)
        : options(std::move(parser_options)),
          handler(change_handler),
          relations(options.own_schema, options.first_version) {}

    core::Status Begin(const Frame& frame, ByteReader& in);
    core::Status Commit(const Frame& frame, ByteReader& in);
    core::Status Insert(const Frame& frame, ByteReader& in);
    core::Status Update(const Frame& frame, ByteReader& in);
    core::Status Delete(const Frame& frame, ByteReader& in);
    core::Status Truncate(const Frame& frame, ByteReader& in);
    core::Status Message(const Frame& frame, ByteReader& in);
    core::Status Progress(const Frame& frame, ByteReader& in);

    [[nodiscard]] bool ReadTime(ByteReader& in, std::int64_t& unix_us);
    [[nodiscard]] bool ReadTuple(ByteReader& in, const Relation& relation,
                                 std::vector<core::Value>& values);
    // Prepares `change` for a message that counts and is about `relation`.
    core::Change& Start(core::Operation operation, const Frame& frame, const Relation* relation);

    ParserOptions options;
    Handler& handler;
    Relations relations;

    bool in_transaction = false;
    core::Transaction transaction;
    core::Context context;
    std::uint64_t ordinal = 0;

    // Reused for every row.
    core::Change change;
    std::vector<core::Value> before;
    std::vector<core::Value> after;
};

Parser::Parser(ParserOptions options, Handler& handler)
    : impl_(std::make_unique<Impl>(std::move(options), handler)) {}

Parser::~Parser() = default;

bool Parser::in_transaction() const {
    return impl_->in_transaction;
}

core::Status Parser::ParseFrame(const Frame& frame) {
    Impl& self = *impl_;
    ByteReader in(frame.bytes);
    const char tag = static_cast<char>(in.U8());
    if (tag == kTypesTag) {
        return self.relations.ReadTypes(in) ? core::Status::Ok() : Refuse(frame, kMalformed);
    }
    if (tag == 'R') {
        return self.relations.ReadRelation(in) ? core::Status::Ok() : Refuse(frame, kMalformed);
    }
    self.relations.Settle();
    switch (tag) {
        case 'I':
            return self.in_transaction ? self.Insert(frame, in) : Refuse(frame, kOutside);
        case 'U':
            return self.in_transaction ? self.Update(frame, in) : Refuse(frame, kOutside);
        case 'D':
            return self.in_transaction ? self.Delete(frame, in) : Refuse(frame, kOutside);
        case 'T':
            return self.in_transaction ? self.Truncate(frame, in) : Refuse(frame, kOutside);
        case 'C':
            return self.in_transaction ? self.Commit(frame, in) : Refuse(frame, kOutside);
        case 'B':
            return self.Begin(frame, in);
        case 'M':
            return self.Message(frame, in);
        case 'O':  // origin: lsn, name
            in.U64();
            in.Text();
            return in.complete() ? core::Status::Ok() : Refuse(frame, kMalformed);
        case 'Y':  // type: oid, schema, name; the type record says more
            in.U32();
            in.Text();
            in.Text();
            return in.complete() ? core::Status::Ok() : Refuse(frame, kMalformed);
        case kProgressTag:
            return self.Progress(frame, in);
        default:
            return Refuse(frame, "unknown logical replication message type");
    }
}

core::Status Parser::Impl::Begin(const Frame& frame, ByteReader& in) {
    core::Transaction begun;
    begun.commit_lsn.value = in.U64();
    const bool time_ok = ReadTime(in, begun.commit_time_us);
    begun.xid = in.U32();
    if (!in.complete() || !time_ok) {
        return Refuse(frame, kMalformed);
    }
    if (in_transaction) {
        return Refuse(frame, "logical replication transaction begins inside another one");
    }
    transaction = begun;
    context = {};
    ordinal = 0;
    in_transaction = true;
    return handler.OnBegin(transaction);
}

core::Status Parser::Impl::Commit(const Frame& frame, ByteReader& in) {
    in.U8();   // flags, unused
    in.U64();  // the commit record's position, known since Begin
    core::Lsn end{in.U64()};
    std::int64_t time = 0;
    const bool time_ok = ReadTime(in, time);
    if (!in.complete() || !time_ok || !end.valid()) {
        return Refuse(frame, kMalformed);
    }
    transaction.end_lsn = end;
    in_transaction = false;
    return handler.OnCommit(transaction);
}

core::Status Parser::Impl::Insert(const Frame& frame, ByteReader& in) {
    const Relation* relation = relations.Find(in.U32());
    if (relation == nullptr) {
        return Refuse(frame, kUnknownRelation);
    }
    core::Change& next = Start(core::Operation::kInsert, frame, relation);
    if (in.U8() != 'N' || !ReadTuple(in, *relation, after) || !in.complete()) {
        return Refuse(frame, kMalformed);
    }
    if (relation->hidden) {
        return core::Status::Ok();
    }
    next.after = {after.data(), relation->schema.columns.size()};
    return handler.OnChange(next);
}

core::Status Parser::Impl::Update(const Frame& frame, ByteReader& in) {
    const Relation* relation = relations.Find(in.U32());
    if (relation == nullptr) {
        return Refuse(frame, kUnknownRelation);
    }
    core::Change& next = Start(core::Operation::kUpdate, frame, relation);
    const std::size_t width = relation->schema.columns.size();
    std::uint8_t part = in.U8();
    if (part == 'K' || part == 'O') {
        if (!ReadTuple(in, *relation, before)) {
            return Refuse(frame, kMalformed);
        }
        next.before = {before.data(), width};
        next.before_is_key = part == 'K';
        part = in.U8();
    }
    if (part != 'N' || !ReadTuple(in, *relation, after) || !in.complete()) {
        return Refuse(frame, kMalformed);
    }
    if (relation->hidden) {
        return core::Status::Ok();
    }
    next.after = {after.data(), width};
    // What the update did not touch is what the old row had, where the old row is known.
    for (std::size_t i = 0; i < next.before.size(); ++i) {
        if (after[i].kind == core::ValueKind::kUnchanged &&
            before[i].kind == core::ValueKind::kText) {
            after[i] = before[i];
        }
    }
    return handler.OnChange(next);
}

core::Status Parser::Impl::Delete(const Frame& frame, ByteReader& in) {
    const Relation* relation = relations.Find(in.U32());
    if (relation == nullptr) {
        return Refuse(frame, kUnknownRelation);
    }
    core::Change& next = Start(core::Operation::kDelete, frame, relation);
    const std::uint8_t part = in.U8();
    if ((part != 'K' && part != 'O') || !ReadTuple(in, *relation, before) || !in.complete()) {
        return Refuse(frame, kMalformed);
    }
    if (relation->hidden) {
        return core::Status::Ok();
    }
    next.before = {before.data(), relation->schema.columns.size()};
    next.before_is_key = part == 'K';
    return handler.OnChange(next);
}

core::Status Parser::Impl::Truncate(const Frame& frame, ByteReader& in) {
    const std::uint32_t count = in.U32();
    in.U8();  // CASCADE, RESTART IDENTITY: every table that was emptied is in the list
    if (in.failed() || in.left() % sizeof(core::Oid) != 0 ||
        in.left() / sizeof(core::Oid) != count) {
        return Refuse(frame, kMalformed);
    }
    Start(core::Operation::kTruncate, frame, nullptr);
    for (std::uint32_t part = 0; part < count; ++part) {
        const Relation* relation = relations.Find(in.U32());
        if (relation == nullptr) {
            return Refuse(frame, kUnknownRelation);
        }
        if (!relation->hidden) {
            change.relation = &relation->schema;
            change.identity.part = part;
            BV_RETURN_IF_ERROR(handler.OnChange(change));
        }
    }
    return core::Status::Ok();
}

core::Status Parser::Impl::Message(const Frame& frame, ByteReader& in) {
    const std::uint8_t flags = in.U8();
    const core::Lsn lsn{in.U64()};
    const std::string_view prefix = in.Text();
    const std::uint32_t length = in.U32();
    const std::string_view content = in.Bytes(length);
    if (!in.complete() || flags > kTransactionalFlag) {
        return Refuse(frame, kMalformed);
    }
    const bool transactional = flags == kTransactionalFlag;
    if (transactional != in_transaction) {
        return Refuse(frame, transactional
                                 ? kOutside
                                 : "non-transactional logical message inside a transaction");
    }
    // Only a transactional one counts, and only it can speak for the changes behind it.
    core::Change& next = Start(core::Operation::kMessage, frame, nullptr);
    if (prefix == kContextPrefix) {
        if (transactional) {
            ReadContext(content, options.context_secret, context);
        }
        return core::Status::Ok();  // carries the secret: never handed on
    }
    if (prefix == kSchemaPrefix && transactional && options.schema_changes) {
        next.content = ReadSchemaMessage(content, options.context_secret, options.source.stream);
        next.prefix = kSchemaPrefix;
        next.lsn = lsn;
        return next.content.empty() ? core::Status::Ok() : handler.OnChange(next);
    }
    if (prefix == kWatermarkPrefix && !transactional) {
        const std::string_view mark =
            ReadWatermark(content, options.context_secret, options.source.stream);
        return mark.empty() ? core::Status::Ok() : handler.OnWatermark(lsn, mark);
    }
    if (!options.messages || prefix.starts_with(kOwnPrefix)) {
        return core::Status::Ok();
    }
    next.prefix = prefix;
    next.content = content;
    next.transactional = transactional;
    next.lsn = lsn;
    if (!transactional) {
        next.identity = {&options.source, lsn, 0, 0, 0};
        next.commit_time_us = 0;
        next.context = nullptr;
    }
    return handler.OnChange(next);
}

core::Status Parser::Impl::Progress(const Frame& frame, ByteReader& in) {
    if (!in.complete()) {
        return Refuse(frame, kMalformed);
    }
    if (in_transaction) {
        return Refuse(frame, "progress record inside a transaction");
    }
    return handler.OnProgress(frame.lsn);
}

bool Parser::Impl::ReadTime(ByteReader& in, std::int64_t& unix_us) {
    const auto postgres_us = static_cast<std::int64_t>(in.U64());
    if (postgres_us > std::numeric_limits<std::int64_t>::max() - kPostgresEpochUs) {
        return false;
    }
    unix_us = postgres_us + kPostgresEpochUs;
    return true;
}

bool Parser::Impl::ReadTuple(ByteReader& in, const Relation& relation,
                             std::vector<core::Value>& values) {
    const std::size_t count = in.U16();
    if (count != relation.schema.columns.size()) {
        return false;
    }
    if (values.size() < count) {
        values.resize(count);
    }
    for (std::size_t i = 0; i < count; ++i) {
        core::Value& value = values[i];
        switch (in.U8()) {
            case 't': {
                const std::uint32_t length = in.U32();
                value.kind = core::ValueKind::kText;
                value.text = in.Bytes(length);
                break;
            }
            case 'n':
                value = {core::ValueKind::kNull, {}};
                break;
            case 'u':
                value = {core::ValueKind::kUnchanged, {}};
                break;
            default:  // 'b' is not asked for
                return false;
        }
    }
    return !in.failed();
}

core::Change& Parser::Impl::Start(core::Operation operation, const Frame& frame,
                                  const Relation* relation) {
    if (in_transaction) {
        ++ordinal;
    }
    change.operation = operation;
    change.relation = relation == nullptr ? nullptr : &relation->schema;
    // Field by field: a whole one is made on the stack and copied in wider pieces than it was
    // written in, and such a load waits until all stores before it have reached the cache.
    change.identity.source = &options.source;
    change.identity.commit_lsn = transaction.commit_lsn;
    change.identity.xid = transaction.xid;
    change.identity.ordinal = ordinal;
    change.identity.part = 0;
    change.lsn = frame.lsn;
    change.commit_time_us = transaction.commit_time_us;
    change.before = {};
    change.before_is_key = false;
    change.after = {};
    change.context = &context;
    change.position = nullptr;
    change.prefix = {};
    change.content = {};
    change.transactional = true;
    return change;
}

}  // namespace bitvelocity::wal
