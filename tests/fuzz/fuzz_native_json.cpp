// Any bytes as the text of any type: what comes out is one JSON document on one line, or an
// EncodingError. The first byte chooses the type. json is left out: it is embedded as sent.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cdc/encoding_error.hpp"
#include "sinks/encoding/native_json.hpp"

namespace {

using pgcourier::cdc::ColumnType;
using pgcourier::cdc::TypeForm;

struct Types {
  ColumnType text{TypeForm::text, nullptr, ',', {}};
  ColumnType boolean{TypeForm::boolean, nullptr, ',', {}};
  ColumnType integer{TypeForm::integer, nullptr, ',', {}};
  ColumnType floating{TypeForm::floating, nullptr, ',', {}};
  ColumnType bytea{TypeForm::bytea, nullptr, ',', {}};
  ColumnType timestamp{TypeForm::timestamp, nullptr, ',', {}};
  ColumnType timestamptz{TypeForm::timestamptz, nullptr, ',', {}};
  ColumnType hstore{TypeForm::hstore, nullptr, ',', {}};
  ColumnType texts{TypeForm::array, &text, ',', {}};
  ColumnType hstores{TypeForm::array, &hstore, ';', {}};
  ColumnType pair{TypeForm::composite, nullptr, ',', {{"a", &texts}, {"b", &hstore}}};
  ColumnType pairs{TypeForm::array, &pair, ',', {}};
  ColumnType self{TypeForm::composite, nullptr, ',', {{"self", &self}}};
  std::array<const ColumnType*, 13> all{&text,        &boolean, &integer, &floating, &bytea,
                                        &timestamp,   &hstore,  &texts,   &hstores,  &pair,
                                        &timestamptz, &pairs,   &self};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Types types;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);

  pgcourier::cdc::Relation relation;
  relation.columns = {{"c", 0, -1, types.all[data[0] % types.all.size()], true}};
  relation.key = {0};
  const pgcourier::protocol::ColumnValue value{pgcourier::protocol::ValueKind::text, text};
  pgcourier::cdc::ChangeEvent event;
  event.relation = &relation;
  event.after = {&value, 1};
  pgcourier::sinks::encoding::NativeJson encoder;
  encoder.begin({{}, {}, 1, text});
  try {
    encoder.encode(event);
  } catch (const pgcourier::cdc::EncodingError&) {
    return 0;
  }
  const std::string_view json = encoder.finish(pgcourier::protocol::Lsn{1}).record.value;
  if (!nlohmann::json::accept(json) || json.find('\n') != std::string_view::npos) std::abort();
  return 0;
}
