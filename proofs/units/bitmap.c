#include "base/bitmap.h"
