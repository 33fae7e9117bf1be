#include "ops/findings.hpp"

#include <cstring>
#include <utility>

#include "pg/boundary.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::ops {

void Findings::Add(const char* severity, std::string object, std::string finding, std::string fix) {
    findings_.push_back({severity, std::move(object), std::move(finding), std::move(fix)});
}

void Findings::AddQuery(pg::SpiScope& spi, const std::string& sql) {
    const pg::Rows rows = spi.Execute(sql);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        findings_.push_back({rows.Text(i, 1).value_or(""), rows.Text(i, 2).value_or(""),
                             rows.Text(i, 3).value_or(""), rows.Text(i, 4).value_or("")});
    }
}

void Findings::Return(FunctionCallInfoBaseData* fcinfo) const {
    const auto put = [fcinfo](const Finding& finding) {
        const char* texts[] = {finding.severity.c_str(), finding.object.c_str(),
                               finding.finding.c_str(), finding.fix.c_str()};
        pg::Call([fcinfo, &texts]() {
            auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
            Datum values[4];
            bool nulls[4] = {false, false, false, false};
            for (int i = 0; i < 4; ++i) {
                values[i] = CStringGetTextDatum(texts[i]);
            }
            tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        });
    };
    for (const char* severity : {kError, kWarning, kInfo}) {
        for (const Finding& finding : findings_) {
            if (finding.severity == severity) {
                put(finding);
            }
        }
    }
}

}  // namespace bitvelocity::ops
