#include "trail/recorded_value.hpp"

#include <algorithm>

#include "core/text_forms.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::trail {

namespace {

const core::TypeDescription& BaseOf(const core::TypeDescription& type) {
    const core::TypeDescription* base = &type;
    while (base->kind == core::TypeKind::kDomain && base->element != nullptr) {
        base = base->element.get();
    }
    return *base;
}

bool HoldsComposite(const core::TypeDescription& type) {
    const core::TypeDescription& base = BaseOf(type);
    return (base.kind == core::TypeKind::kComposite && !base.attributes.empty()) ||
           (base.kind == core::TypeKind::kArray && base.element != nullptr &&
            HoldsComposite(*base.element));
}

// A buffer is used again for the next element or field; the value outlives it.
std::string_view Kept(std::string_view text, const std::string& buffer) {
    if (text.data() != buffer.data()) {
        return text;
    }
    return {pg::Call([text]() { return pnstrdup(text.data(), text.size()); }), text.size()};
}

void SetText(std::string_view text, JsonbValue* value) {
    value->type = jbvString;
    value->val.string.val = const_cast<char*>(text.data());
    value->val.string.len = static_cast<int>(text.size());
}

void ValueOf(const RecordedType& type, bool is_null, std::string_view text, core::Oid owner,
             JsonbValue* value) {
    if (is_null) {
        value->type = jbvNull;
    } else if (NeedsConvert(type, text)) {
        Convert(type, text, owner, value);
    } else {
        pg::Call([plain = type.plain.get(), text, value]() { ToJson(*plain, text, value); });
    }
}

bool SetComposite(const RecordedType& type, std::string_view text, core::Oid owner,
                  JsonbValue* value) {
    const std::size_t count = type.fields.size();
    auto* pairs =
        pg::Call([count]() { return static_cast<JsonbPair*>(palloc0(count * sizeof(JsonbPair))); });
    std::string buffer;
    core::CompositeReader in(text, buffer);
    if (!in.Open()) {
        return false;
    }
    for (const RecordedType::Field& field : type.fields) {
        bool is_null = false;
        std::string_view item;
        if (!in.Next(is_null, item)) {
            return false;
        }
        JsonbPair& pair = pairs[field.place];
        SetText(field.name, &pair.key);
        pair.order = static_cast<uint32>(field.place);
        ValueOf(*field.type, is_null, Kept(item, buffer), owner, &pair.value);
    }
    value->type = jbvObject;
    value->val.object.nPairs = static_cast<int>(count);
    value->val.object.pairs = pairs;
    return in.Close();
}

class ArrayBuilder final : public core::ArrayVisitor {
  public:
    ArrayBuilder(const RecordedType& element, const std::string& buffer, core::Oid owner)
        : element_(element), buffer_(buffer), owner_(owner) {}

    void OnOpen() override { levels_.emplace_back(); }
    void OnClose() override {
        const std::vector<JsonbValue>& items = levels_.back();
        JsonbValue array;
        array.type = jbvArray;
        array.val.array.nElems = static_cast<int>(items.size());
        array.val.array.rawScalar = false;
        array.val.array.elems = pg::Call([from = items.data(), count = items.size()]() {
            auto* elements = static_cast<JsonbValue*>(palloc((count + 1) * sizeof(JsonbValue)));
            std::copy(from, from + count, elements);
            return elements;
        });
        levels_.pop_back();
        if (levels_.empty()) {
            result_ = array;
        } else {
            levels_.back().push_back(array);
        }
    }
    void OnElement(bool is_null, std::string_view text) override {
        JsonbValue item;
        ValueOf(element_, is_null, Kept(text, buffer_), owner_, &item);
        levels_.back().push_back(item);
    }

    [[nodiscard]] const JsonbValue& result() const { return result_; }

  private:
    const RecordedType& element_;
    const std::string& buffer_;
    core::Oid owner_;
    std::vector<std::vector<JsonbValue>> levels_;
    JsonbValue result_{};
};

bool SetArray(const RecordedType& type, std::string_view text, core::Oid owner, JsonbValue* value) {
    std::string buffer;
    ArrayBuilder builder(*type.element, buffer, owner);
    if (!core::VisitArray(text, type.delimiter, buffer, builder)) {
        return false;
    }
    *value = builder.result();
    return true;
}

}  // namespace

RecordedType RecordedTypeOf(const core::TypeDescription& type) {
    RecordedType result;
    if (!HoldsComposite(type)) {
        result.plain = FindJsonType(type.oid, &type);
        return result;
    }
    const core::TypeDescription& base = BaseOf(type);
    if (base.kind == core::TypeKind::kArray) {
        result.element = std::make_unique<RecordedType>(RecordedTypeOf(*base.element));
        result.delimiter = base.element->delimiter;
        return result;
    }
    for (const core::TypeAttribute& attribute : base.attributes) {
        result.fields.push_back(
            {attribute.name, std::make_unique<RecordedType>(RecordedTypeOf(*attribute.type)), 0});
    }
    for (RecordedType::Field& field : result.fields) {
        field.place = static_cast<std::size_t>(std::count_if(
            result.fields.begin(), result.fields.end(),
            [&](const RecordedType::Field& other) { return JsonKeyLess(other.name, field.name); }));
    }
    return result;
}

void Convert(const RecordedType& type, std::string_view text, core::Oid owner, JsonbValue* value) {
    if (type.plain != nullptr) {
        Convert(*type.plain, text, owner, value);
        return;
    }
    const bool made = type.element != nullptr ? SetArray(type, text, owner, value)
                                              : SetComposite(type, text, owner, value);
    if (!made) {
        SetText(text, value);
    }
}

}  // namespace bitvelocity::trail
