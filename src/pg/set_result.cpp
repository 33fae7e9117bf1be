#include "pg/set_result.hpp"

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::pg {

void BeginSet(FunctionCallInfoBaseData* fcinfo) {
    Call([fcinfo]() { InitMaterializedSRF(fcinfo, 0); });
}

void AppendQuery(FunctionCallInfoBaseData* fcinfo, SpiScope& spi, const std::string& sql,
                 const std::vector<Param>& params) {
    const Rows rows = spi.Execute(sql, params);
    if (rows.empty()) {
        return;
    }
    Call([fcinfo]() {
        auto* info = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
        for (std::uint64_t i = 0; i < SPI_tuptable->numvals; ++i) {
            tuplestore_puttuple(info->setResult, SPI_tuptable->vals[i]);
        }
    });
}

}  // namespace bitvelocity::pg
