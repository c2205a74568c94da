// What scenarios take from iommufd.
export * from '@faultline/iommufd';
