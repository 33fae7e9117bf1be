// IsJson: nlohmann/json's verdict, except that a number too large for a double is still a number
// (its parser stops there; PostgreSQL's numeric has up to 131,072 digits).
#pragma once

#include <nlohmann/json.hpp>

#include <string_view>

namespace bitvelocity::test {

inline bool IsJson(std::string_view text) {
    class Verdict final : public nlohmann::json_sax<nlohmann::json> {
      public:
        bool null() override { return true; }
        bool boolean(bool) override { return true; }
        bool number_integer(number_integer_t) override { return true; }
        bool number_unsigned(number_unsigned_t) override { return true; }
        bool number_float(number_float_t, const string_t&) override { return true; }
        bool string(string_t&) override { return true; }
        bool binary(binary_t&) override { return true; }
        bool start_object(std::size_t) override { return true; }
        bool key(string_t&) override { return true; }
        bool end_object() override { return true; }
        bool start_array(std::size_t) override { return true; }
        bool end_array() override { return true; }
        bool parse_error(std::size_t, const std::string&,
                         const nlohmann::json::exception& error) override {
            constexpr int kNumberOverflow = 406;
            return error.id == kNumberOverflow;
        }
    } verdict;
    return nlohmann::json::sax_parse(text, &verdict);
}

}  // namespace bitvelocity::test
