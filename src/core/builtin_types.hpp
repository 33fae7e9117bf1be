// BuiltinTypes: descriptions of PostgreSQL's own types by OID, for what comes without one.
//
// pgoutput's Relation message carries type OIDs only; built-in ones never change meaning, so a
// column of such a type keeps its name and shape even where no type record follows. Unknown OIDs
// get a nameless base type, whose values are text. Descriptions are shared. One thread.
#pragma once

#include <unordered_map>

#include "core/schema.hpp"

namespace bitvelocity::core {

class BuiltinTypes {
  public:
    [[nodiscard]] TypePtr Get(Oid oid);

  private:
    std::unordered_map<Oid, TypePtr> types_;
};

}  // namespace bitvelocity::core
