// The types of PostgreSQL's pg_type.dat, with their array types. PostgreSQL 14 to 18 have the same
// ones, and a release never gives an OID another meaning.
#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "cdc/column_type.hpp"

namespace pgcourier::cdc {
namespace {

struct BuiltInType {
  std::uint32_t oid;
  std::uint32_t array_oid;  // 0: none
  TypeForm form = TypeForm::text;
  char delimiter = ',';
};

// Row types of catalogs (pg_class, …) are left out: their columns change between releases. So are
// pseudo-types, which no column can have; cstring is here for its array, which one can.
constexpr BuiltInType built_in_types[] = {
    {16, 1000, TypeForm::boolean},        // bool
    {17, 1001, TypeForm::bytea},          // bytea
    {18, 1002},                           // char
    {19, 1003},                           // name
    {20, 1016, TypeForm::integer},        // int8
    {21, 1005, TypeForm::integer},        // int2
    {22, 1006},                           // int2vector
    {23, 1007, TypeForm::integer},        // int4
    {24, 1008},                           // regproc
    {25, 1009},                           // text
    {26, 1028},                           // oid
    {27, 1010},                           // tid
    {28, 1011},                           // xid
    {29, 1012},                           // cid
    {30, 1013},                           // oidvector
    {114, 199, TypeForm::json},           // json
    {142, 143},                           // xml
    {194, 0},                             // pg_node_tree
    {600, 1017},                          // point
    {601, 1018},                          // lseg
    {602, 1019},                          // path
    {603, 1020, TypeForm::text, ';'},     // box
    {604, 1027},                          // polygon
    {628, 629},                           // line
    {650, 651},                           // cidr
    {700, 1021, TypeForm::floating},      // float4
    {701, 1022, TypeForm::floating},      // float8
    {718, 719},                           // circle
    {774, 775},                           // macaddr8
    {790, 791},                           // money
    {829, 1040},                          // macaddr
    {869, 1041},                          // inet
    {1033, 1034},                         // aclitem
    {1042, 1014},                         // bpchar
    {1043, 1015},                         // varchar
    {1082, 1182},                         // date
    {1083, 1183},                         // time
    {1114, 1115, TypeForm::timestamp},    // timestamp
    {1184, 1185, TypeForm::timestamptz},  // timestamptz
    {1186, 1187},                         // interval
    {1266, 1270},                         // timetz
    {1560, 1561},                         // bit
    {1562, 1563},                         // varbit
    {1700, 1231},                         // numeric
    {1790, 2201},                         // refcursor
    {2202, 2207},                         // regprocedure
    {2203, 2208},                         // regoper
    {2204, 2209},                         // regoperator
    {2205, 2210},                         // regclass
    {2206, 2211},                         // regtype
    {2275, 1263},                         // cstring
    {2950, 2951},                         // uuid
    {2970, 2949},                         // txid_snapshot
    {3220, 3221},                         // pg_lsn
    {3361, 0},                            // pg_ndistinct
    {3402, 0},                            // pg_dependencies
    {3614, 3643},                         // tsvector
    {3615, 3645},                         // tsquery
    {3642, 3644},                         // gtsvector
    {3734, 3735},                         // regconfig
    {3769, 3770},                         // regdictionary
    {3802, 3807, TypeForm::json},         // jsonb
    {3904, 3905},                         // int4range
    {3906, 3907},                         // numrange
    {3908, 3909},                         // tsrange
    {3910, 3911},                         // tstzrange
    {3912, 3913},                         // daterange
    {3926, 3927},                         // int8range
    {4072, 4073},                         // jsonpath
    {4089, 4090},                         // regnamespace
    {4096, 4097},                         // regrole
    {4191, 4192},                         // regcollation
    {4451, 6150},                         // int4multirange
    {4532, 6151},                         // nummultirange
    {4533, 6152},                         // tsmultirange
    {4534, 6153},                         // tstzmultirange
    {4535, 6155},                         // datemultirange
    {4536, 6157},                         // int8multirange
    {4600, 0},                            // pg_brin_bloom_summary
    {4601, 0},                            // pg_brin_minmax_multi_summary
    {5017, 0},                            // pg_mcv_list
    {5038, 5039},                         // pg_snapshot
    {5069, 271},                          // xid8
};

constexpr std::size_t built_in_count = std::size(built_in_types);

// Sorted by OID, bases and arrays alike. Made once, on first use.
class BuiltInIndex {
 public:
  BuiltInIndex() {
    entries_.reserve(2 * built_in_count);
    for (std::size_t i = 0; i < built_in_count; ++i) {
      const BuiltInType& type = built_in_types[i];
      bases_[i].form = type.form;
      entries_.push_back({type.oid, &bases_[i]});
      if (type.array_oid == 0) continue;
      arrays_[i].form = TypeForm::array;
      arrays_[i].element = &bases_[i];
      arrays_[i].delimiter = type.delimiter;
      entries_.push_back({type.array_oid, &arrays_[i]});
    }
    std::ranges::sort(entries_, {}, &Entry::oid);
  }

  const ColumnType* find(std::uint32_t oid) const {
    const auto found = std::ranges::lower_bound(entries_, oid, {}, &Entry::oid);
    return found != entries_.end() && found->oid == oid ? found->type : nullptr;
  }

 private:
  struct Entry {
    std::uint32_t oid;
    const ColumnType* type;
  };

  std::array<ColumnType, built_in_count> bases_;
  std::array<ColumnType, built_in_count> arrays_;
  std::vector<Entry> entries_;
};

}  // namespace

const ColumnType* built_in_type(std::uint32_t oid) {
  static const BuiltInIndex index;
  return index.find(oid);
}

}  // namespace pgcourier::cdc
