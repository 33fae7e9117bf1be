#include "stream/model/chunk.hpp"

#include <cstring>
#include <utility>

namespace bitvelocity::stream::model {

namespace {

// Numbers as they are, for the same machine; texts behind their length, lists behind their count.
class Writer {
  public:
    void Number(std::uint64_t number) {
        out_.append(reinterpret_cast<const char*>(&number), sizeof(number));
    }
    void Text(std::string_view text) {
        Number(text.size());
        out_.append(text);
    }
    void Texts(const std::vector<std::string>& texts) {
        Number(texts.size());
        for (const std::string& text : texts) {
            Text(text);
        }
    }
    std::string Take() { return std::move(out_); }

  private:
    std::string out_;
};

class Reader {
  public:
    explicit Reader(std::string_view in) : in_(in) {}

    std::uint64_t Number() {
        std::uint64_t number = 0;
        if (in_.size() < sizeof(number)) {
            broken_ = true;
            in_ = {};
            return 0;
        }
        std::memcpy(&number, in_.data(), sizeof(number));
        in_.remove_prefix(sizeof(number));
        return number;
    }
    // Of things that take at least a number each.
    std::uint64_t Count() {
        const std::uint64_t count = Number();
        if (count > in_.size() / sizeof(count)) {
            broken_ = true;
            return 0;
        }
        return count;
    }
    std::string Text() {
        const std::uint64_t size = Number();
        if (size > in_.size()) {
            broken_ = true;
            return {};
        }
        std::string text(in_.substr(0, size));
        in_.remove_prefix(size);
        return text;
    }
    std::vector<std::string> Texts() {
        std::vector<std::string> texts(Count());
        for (std::string& text : texts) {
            text = Text();
        }
        return texts;
    }
    [[nodiscard]] bool Whole() const { return !broken_ && in_.empty(); }

  private:
    std::string_view in_;
    bool broken_ = false;
};

void WritePlace(Writer& out, const Place& place) {
    out.Texts(place.columns);
    out.Texts(place.values);
}

Place ReadPlace(Reader& in) {
    Place place;
    place.columns = in.Texts();
    place.values = in.Texts();
    return place;
}

void WriteKeys(Writer& out, const RowKeys& keys) {
    out.Number(keys.whole() ? 1 : 0);
    out.Number(keys.columns().size());
    for (const KeyColumn& column : keys.columns()) {
        out.Text(column.name);
        out.Number(column.type);
    }
}

RowKeys ReadKeys(Reader& in) {
    const bool whole = in.Number() != 0;
    std::vector<KeyColumn> columns(in.Count());
    for (KeyColumn& column : columns) {
        column.name = in.Text();
        column.type = static_cast<core::Oid>(in.Number());
    }
    return {std::move(columns), whole};
}

}  // namespace

std::string Encode(const ChunkOrder& order) {
    Writer out;
    out.Number(order.number);
    out.Number(order.relation);
    out.Text(order.filter);
    WritePlace(out, order.place);
    out.Number(order.again ? 1 : 0);
    out.Texts(order.keys);
    out.Number(order.must_see.size());
    for (const std::uint32_t xid : order.must_see) {
        out.Number(xid);
    }
    return out.Take();
}

std::optional<ChunkOrder> DecodeOrder(std::string_view bytes) {
    Reader in(bytes);
    ChunkOrder order;
    order.number = in.Number();
    order.relation = static_cast<core::Oid>(in.Number());
    order.filter = in.Text();
    order.place = ReadPlace(in);
    order.again = in.Number() != 0;
    order.keys = in.Texts();
    order.must_see.resize(in.Count());
    for (std::uint32_t& xid : order.must_see) {
        xid = static_cast<std::uint32_t>(in.Number());
    }
    return in.Whole() ? std::optional(std::move(order)) : std::nullopt;
}

std::string Encode(const ChunkAnswer& answer) {
    Writer out;
    out.Number(answer.number);
    out.Number(static_cast<std::uint64_t>(answer.outcome));
    out.Text(answer.error.sqlstate);
    out.Text(answer.error.message);
    out.Text(answer.error.detail);
    out.Text(answer.error.hint);
    out.Number(answer.again ? 1 : 0);
    const Chunk& chunk = answer.chunk;
    out.Text(chunk.snapshot);
    out.Text(chunk.description);
    out.Number(chunk.read);
    WritePlace(out, chunk.place);
    out.Number(chunk.last ? 1 : 0);
    WriteKeys(out, chunk.keys);
    out.Number(chunk.rows.size());
    return out.Take();
}

std::optional<ChunkAnswer> DecodeAnswer(std::string_view bytes, std::uint64_t* rows_size) {
    Reader in(bytes);
    ChunkAnswer answer;
    answer.number = in.Number();
    const std::uint64_t outcome = in.Number();
    answer.outcome = static_cast<ReadOutcome>(outcome);
    answer.error.sqlstate = in.Text();
    answer.error.message = in.Text();
    answer.error.detail = in.Text();
    answer.error.hint = in.Text();
    answer.again = in.Number() != 0;
    Chunk& chunk = answer.chunk;
    chunk.snapshot = in.Text();
    chunk.description = in.Text();
    chunk.read = in.Number();
    chunk.place = ReadPlace(in);
    chunk.last = in.Number() != 0;
    chunk.keys = ReadKeys(in);
    *rows_size = in.Number();
    if (!in.Whole() || outcome > static_cast<std::uint64_t>(ReadOutcome::kLost)) {
        return std::nullopt;
    }
    return answer;
}

}  // namespace bitvelocity::stream::model
