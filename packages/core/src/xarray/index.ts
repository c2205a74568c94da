export { xarrayLayout } from './xarray.layout.ts';
export { initXarray, Xarray, xarrayWords } from './xarray.ts';
