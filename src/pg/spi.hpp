// SPI as values: statements with typed parameters in, rows of optionals out.
//
// SpiScope connects; Execute runs one statement through one guarded call. Rows borrow from SPI
// memory and die with the scope. Statements are text with $1..$n; values are never pasted into it,
// identifiers only through QuoteIdentifier / QualifiedName. Main thread, inside a transaction.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/lsn.hpp"

struct SPITupleTable;

namespace bitvelocity::pg {

// One parameter. The value is copied when the statement runs.
class Param {
  public:
    static Param Null(std::uint32_t type);
    static Param Text(std::string_view value);
    static Param Text(const std::string& value) { return Text(std::string_view(value)); }
    static Param Text(const char* value) { return Text(std::string_view(value)); }
    static Param Text(const std::optional<std::string>& value);
    static Param Name(std::string_view value);
    static Param Int(std::int32_t value);
    static Param Bigint(std::int64_t value);
    static Param OidValue(std::uint32_t value);
    static Param Bool(bool value);
    static Param LsnValue(core::Lsn value);
    static Param Jsonb(std::string_view json);
    static Param Bytes(std::string_view bytes);
    // A Datum that came from the caller's fcinfo.
    static Param Raw(std::uint32_t type, std::uintptr_t datum, bool is_null);

    std::uint32_t type = 0;
    bool is_null = false;
    bool is_text = false;
    std::string text;
    std::uint64_t datum = 0;
};

class Rows {
  public:
    Rows() = default;
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] bool IsNull(std::size_t row, int column) const;  // columns from 1
    [[nodiscard]] std::optional<std::string> Text(std::size_t row, int column) const;
    // The typed readers return 0 / false for NULL.
    [[nodiscard]] std::int64_t Int(std::size_t row, int column) const;  // int2, int4 and int8
    [[nodiscard]] std::uint32_t OidValue(std::size_t row, int column) const;
    [[nodiscard]] bool Bool(std::size_t row, int column) const;
    [[nodiscard]] core::Lsn LsnValue(std::size_t row, int column) const;
    // Rows that an INSERT, UPDATE, DELETE or utility statement processed.
    [[nodiscard]] std::uint64_t processed() const { return processed_; }

  private:
    friend class SpiScope;
    Rows(SPITupleTable* table, std::uint64_t processed);
    SPITupleTable* table_ = nullptr;
    std::size_t count_ = 0;
    std::uint64_t processed_ = 0;
};

// A statement that runs often with a plan made once, for any parameters. Lives as long as the
// connection of the SpiScope that prepared it.
struct Prepared {
    void* plan = nullptr;
};

class SpiScope {
  public:
    SpiScope();
    ~SpiScope() noexcept;
    SpiScope(const SpiScope&) = delete;
    SpiScope& operator=(const SpiScope&) = delete;

    Rows Execute(const std::string& sql, std::initializer_list<Param> params = {});
    Rows Execute(const std::string& sql, const std::vector<Param>& params);
    // One plan for all values of the parameters, which have the types of `params`.
    Prepared Prepare(const std::string& sql, const std::vector<Param>& params);
    Rows Execute(const Prepared& prepared, const std::vector<Param>& params);
    // Runs a query of whose rows only the first column of the last one that came is wanted (bigint;
    // `last` is left alone where none came): kept even where an ERROR ends the query.
    void Follow(const Prepared& prepared, const std::vector<Param>& params, std::int64_t* last);
    // At most `limit` rows; 0 = all.
    Rows Query(const std::string& sql, std::initializer_list<Param> params = {}, long limit = 0);
};

[[nodiscard]] std::string QuoteIdentifier(std::string_view name);
[[nodiscard]] std::string QuoteLiteral(std::string_view text);
// "schema"."table" of an existing relation; throws 42P01 where it is gone.
[[nodiscard]] std::string QualifiedName(std::uint32_t relation);
[[nodiscard]] std::string RelationName(std::uint32_t relation);    // unqualified, unquoted
[[nodiscard]] std::string RelationSchema(std::uint32_t relation);  // unquoted

}  // namespace bitvelocity::pg
