// Frames as the decoder writes them, built by hand: pgoutput's messages, protocol version 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "wal/frame.hpp"

namespace bitvelocity::test {

class Frames {
  public:
    Frames& Begin(std::uint64_t commit_lsn, std::uint32_t xid) {
        std::string bytes = "B";
        Int(bytes, commit_lsn, 8);
        Int(bytes, 0, 8);  // 2000-01-01
        Int(bytes, xid, 4);
        return Add(commit_lsn, bytes);
    }
    Frames& Commit(std::uint64_t commit_lsn, std::uint64_t end_lsn) {
        std::string bytes = "C";
        Int(bytes, 0, 1);
        Int(bytes, commit_lsn, 8);
        Int(bytes, end_lsn, 8);
        Int(bytes, 0, 8);
        return Add(commit_lsn, bytes);
    }
    // Text columns; the first one is the key.
    Frames& Relation(std::uint32_t oid, std::string_view schema, std::string_view name,
                     std::initializer_list<std::string_view> columns) {
        std::string bytes = "R";
        Int(bytes, oid, 4);
        Text(bytes, schema);
        Text(bytes, name);
        bytes += 'd';
        Int(bytes, columns.size(), 2);
        std::string types = "x";
        Int(types, oid, 4);
        Int(types, columns.size(), 2);
        bool first = true;
        for (const std::string_view column : columns) {
            Int(bytes, first ? 1 : 0, 1);
            Text(bytes, column);
            Int(bytes, 25, 4);
            Int(bytes, 0xffffffff, 4);
            Int(types, first ? 3 : 0, 1);
            Int(types, 25, 4);
            Text(types, "pg_catalog");
            Text(types, "text");
            types += "bS,";
            Int(types, 0xffffffff, 4);
            Int(types, 0, 1);
            Int(types, 0, 2);
            Int(types, 0, 2);
            first = false;
        }
        Add(0, bytes);
        return Add(0, types);
    }
    Frames& Insert(std::uint64_t lsn, std::uint32_t oid,
                   std::initializer_list<std::string_view> values) {
        std::string bytes = "I";
        Int(bytes, oid, 4);
        bytes += 'N';
        Int(bytes, values.size(), 2);
        for (const std::string_view value : values) {
            bytes += 't';
            Int(bytes, value.size(), 4);
            bytes += value;
        }
        return Add(lsn, bytes);
    }
    Frames& Message(std::uint64_t lsn, bool transactional, std::string_view prefix,
                    std::string_view content) {
        std::string bytes = "M";
        Int(bytes, transactional ? 1 : 0, 1);
        Int(bytes, lsn, 8);
        Text(bytes, prefix);
        Int(bytes, content.size(), 4);
        bytes += content;
        return Add(lsn, bytes);
    }
    Frames& Progress(std::uint64_t lsn) { return Add(lsn, std::string(1, wal::kProgressTag)); }

    [[nodiscard]] std::span<const std::byte> batch() const {
        return std::as_bytes(std::span(bytes_));
    }

  private:
    Frames& Add(std::uint64_t lsn, std::string_view bytes) {
        wal::AppendFrame(bytes_, core::Lsn{lsn}, bytes);
        return *this;
    }
    static void Int(std::string& out, std::uint64_t value, int bytes) {
        for (int i = bytes - 1; i >= 0; --i) {
            out.push_back(static_cast<char>(value >> (8 * i)));
        }
    }
    static void Text(std::string& out, std::string_view text) {
        out += text;
        out += '\0';
    }

    std::string bytes_;
};

}  // namespace bitvelocity::test
