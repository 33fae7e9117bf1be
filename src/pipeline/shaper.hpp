// Shaper: leaves out, masks and keys what a stream's options say, before any sink or encoder sees
// it.
//
// What it hands out is an ordinary Change of a table that has fewer or other columns, so it holds
// alike for values, keys, old rows and existing rows, in every format and sink. Compiled once per
// version of a table; a table without options goes through untouched. One thread; the result
// borrows from the change and from the shaper until the next call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/change.hpp"
#include "core/sha256.hpp"
#include "core/status.hpp"
#include "pipeline/table_shape.hpp"

namespace bitvelocity::pipeline {

class Shaper {
  public:
    // `salt` is needed where NeedsSalt says so.
    Shaper(std::vector<TableShape> shapes, const std::string& salt);

    // 55000 when the table changed so that the options no longer fit: nothing may be sent.
    core::Status Shape(const core::Change& change, const core::Change*& shaped);

  private:
    struct Table {
        core::Oid oid = 0;
        std::uint32_t version = 0;
        bool shaped = false;
        ShapePlan plan;
        // One buffer a column, so that the views stay where they are.
        std::vector<core::Value> before;
        std::vector<core::Value> after;
        std::vector<std::string> before_texts;
        std::vector<std::string> after_texts;
    };

    core::Result<Table*> Find(const core::RelationSchema& relation);
    core::Tuple MakeTuple(const Table& table, core::Tuple tuple, bool key_only,
                          std::vector<core::Value>& values, std::vector<std::string>& texts) const;
    void MakeMasked(const Mask& mask, core::Value& value, std::string& text) const;

    std::vector<TableShape> shapes_;
    core::Sha256 salted_;
    std::unordered_map<core::Oid, std::unique_ptr<Table>> tables_;
    Table* last_ = nullptr;
    core::Change change_;
};

}  // namespace bitvelocity::pipeline
