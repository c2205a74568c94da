export { initXarray, Xarray, xarrayWords } from './xarray.ts';
export { xarrayLayout } from './xarray.layout.ts';
