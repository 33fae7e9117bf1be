// Status and Result<T>: expected failures as values.
//
// Hides: nothing; a success is an empty pointer, so returning one costs a register. An error
// carries what PostgreSQL's ereport needs (SQLSTATE, message, DETAIL, HINT), so that no layer has
// to translate. Any thread. Messages follow the PostgreSQL error style guide: lower case, no full
// stop; DETAIL and HINT are sentences.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bitvelocity::core {

// SQLSTATE codes (PostgreSQL documentation, appendix A) used by pure code.
inline constexpr std::string_view kInternalError = "XX000";
inline constexpr std::string_view kProtocolViolation = "08P01";
inline constexpr std::string_view kConnectionFailure = "08006";
inline constexpr std::string_view kInvalidParameter = "22023";
inline constexpr std::string_view kInvalidText = "22P02";
inline constexpr std::string_view kFeatureNotSupported = "0A000";
inline constexpr std::string_view kProgramLimitExceeded = "54000";
inline constexpr std::string_view kInsufficientPrivilege = "42501";
inline constexpr std::string_view kConfigFileError = "F0000";
inline constexpr std::string_view kObjectNotInPrerequisiteState = "55000";
inline constexpr std::string_view kQueryCanceled = "57014";

struct Error {
    std::string sqlstate{kInternalError};
    std::string message;
    std::string detail;
    std::string hint;
    // It is about one event and what the event says: sent again it would be refused again. What a
    // stream does then is its option on_error.
    bool poison = false;
};

class [[nodiscard]] Status {
  public:
    Status() = default;
    explicit Status(Error error) : error_(std::make_unique<Error>(std::move(error))) {}

    static Status Ok() { return {}; }
    static Status Fail(std::string_view sqlstate, std::string message, std::string detail = {},
                       std::string hint = {}) {
        return Status(
            Error{std::string(sqlstate), std::move(message), std::move(detail), std::move(hint)});
    }

    [[nodiscard]] bool ok() const { return error_ == nullptr; }
    // Only when !ok().
    [[nodiscard]] const Error& error() const { return *error_; }
    [[nodiscard]] Error TakeError() { return std::move(*error_); }
    // The same as an error of the event alone; a success stays one.
    static Status Poison(Status status) {
        if (!status.ok()) {
            status.error_->poison = true;
        }
        return status;
    }

  private:
    std::unique_ptr<Error> error_;
};

template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit on purpose
    Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit on purpose
        if (status_.ok()) {  // a bug of the caller; better an error than a value that is not there
            status_ = Status::Fail(kInternalError, "success reported without a value");
        }
    }

    [[nodiscard]] bool ok() const { return value_.has_value(); }
    [[nodiscard]] const Error& error() const { return status_.error(); }
    [[nodiscard]] Status TakeStatus() { return std::move(status_); }
    [[nodiscard]] T& value() { return *value_; }
    [[nodiscard]] const T& value() const { return *value_; }
    T& operator*() { return *value_; }
    const T& operator*() const { return *value_; }
    T* operator->() { return &*value_; }
    const T* operator->() const { return &*value_; }

  private:
    std::optional<T> value_;
    Status status_;
};

}  // namespace bitvelocity::core

// Returns early with the error of a Status expression.
#define BV_RETURN_IF_ERROR(expression)                        \
    do {                                                      \
        if (auto bv_status = (expression); !bv_status.ok()) { \
            return bv_status;                                 \
        }                                                     \
    } while (false)
