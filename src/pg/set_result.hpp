// SetResult: what a set-returning SQL function answers with.
//
// Rows of a query go into the tuplestore that the executor asked for, column by column in the order
// of the function's result columns (types must match). Main thread, in a function declared to
// return a set, called where a set is accepted.
#pragma once

#include <string>
#include <vector>

#include "pg/spi.hpp"

struct FunctionCallInfoBaseData;

namespace bitvelocity::pg {

// Prepares the result; call before SpiScope is opened.
void BeginSet(FunctionCallInfoBaseData* fcinfo);
// Runs the query and appends its rows.
void AppendQuery(FunctionCallInfoBaseData* fcinfo, SpiScope& spi, const std::string& sql,
                 const std::vector<Param>& params);

}  // namespace bitvelocity::pg
