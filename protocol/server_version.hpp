// The server's version out of ParameterStatus server_version.
#pragma once

#include <string_view>

namespace pgcourier::protocol {

// "15.4 (Debian …)" → 150004, "16beta1" → 160000, as server_version_num has it; 0 if it is none.
int server_version_number(std::string_view server_version);

}  // namespace pgcourier::protocol
