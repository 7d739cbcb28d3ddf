//! Who believes to ask Microsoft Intune asks the real gateway: Microsoft's own
//! libraries, and the Intune connector of another gateway.

mod chained;
mod list;
mod msal;
mod product;
